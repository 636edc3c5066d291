"""One HTTP connection: uvicorn's, with limits on the resources of a client.

What we want: no client takes the host's descriptors or memory. It may open thousands of connections, send a request
byte by byte, or read no response. What does not work: uvicorn's own limits, which answer 503 to too many connections
and keep them, and wait for ever for a request and for a reader.
What we want besides: a proxy before the host and the host agree where each request ends. h11 refuses most bytes that
two readers may read in two ways, and `fault_of` the rest.
What can still fail: so many clients as a server takes keep others out, for REQUEST_TIMEOUT seconds at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..heap import CONNECTION_BYTES, HEAP

MAX_CONNECTIONS: Final = 256
"""Connections of one server at the same time, unless its plugin says otherwise."""
REQUEST_TIMEOUT: Final = 10.0
"""Seconds that a whole request may take."""
READ_TIMEOUT: Final = 30.0
"""Seconds in which a client must read a part of the response that waits for it."""

_HEADERS: Final = (
    (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Cache-Control", b"no-store"),
    (b"Connection", b"close"),
)
"""The headers of a response that no application gives."""

_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\n"
    + b"".join(b"%b: %b\r\n" % header for header in _HEADERS)
    + b"\r\n"
)


class HTTPConnection(H11Protocol):
    """A connection. `turn_away`: called when there are more than `most`; `uvicorns`: of uvicorn's protocol."""

    def __init__(self, turn_away: Callable[[], None], most: int, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self.conn = _Requests(h11.SERVER)
        self._turn_away = turn_away
        self._most = most
        self._request_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        # Bytes that the client had not read when each timer was started.
        self._unread_before_request = 0
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for a request; where there are too many connections, answer 503 and close."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            self._turn_away()
            transport.write(_BUSY)
            transport.close()
            return
        self._time_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        _cancel(self._request_timer)
        _cancel(self._read_timer)
        super().connection_lost(exc)
        HEAP.freed(CONNECTION_BYTES)

    def data_received(self, data: bytes) -> None:
        """Read bytes of a request."""
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # uvicorn answers 400 after it has begun another response
            self.transport.close()
        self._time_request()

    def send_400_response(self, msg: str) -> None:
        """Answer 400 and close. Called by uvicorn for a request that h11 or `fault_of` refuses."""
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:  # the body is wrong: nothing else is sent
            cycle.disconnected = True
            cycle.message_event.set()
        text = msg.encode()
        headers = [(b"Content-Type", b"text/plain; charset=utf-8"), (b"Content-Length", b"%d" % len(text)), *_HEADERS]
        events = (h11.Response(status_code=400, reason=b"Bad Request", headers=headers), h11.Data(text))
        self.transport.write(b"".join(self.conn.send(event) or b"" for event in (*events, h11.EndOfMessage())))
        self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._time_request()

    def pause_writing(self) -> None:
        """Start the timer of a client that does not read."""
        super().pause_writing()
        _cancel(self._read_timer)
        self._start_read_timer()

    def resume_writing(self) -> None:
        """Stop the timer of a client that does not read."""
        _cancel(self._read_timer)
        super().resume_writing()

    def _time_request(self) -> None:
        """Run the request's timer from the first wait for a request until its last byte."""
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            _cancel(self._request_timer)
            self._request_timer = None
        elif self._request_timer is None and not self.transport.is_closing():
            self._start_request_timer()

    def _start_request_timer(self) -> None:
        # Before the first request only the end of a TLS handshake can be unread, which nothing holds up.
        cycle: Any = self.cycle
        self._unread_before_request = self.transport.get_write_buffer_size() if cycle is not None else 0
        timeout = READ_TIMEOUT if self._unread_before_request else REQUEST_TIMEOUT
        self._request_timer = self.loop.call_later(timeout, self._check_request)

    def _check_request(self) -> None:
        """Cut the connection, unless the client still reads the last response: it may take as long as it reads."""
        if 0 < self.transport.get_write_buffer_size() < self._unread_before_request:
            self._start_request_timer()
        else:
            self.transport.abort()

    def _start_read_timer(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._read_timer = self.loop.call_later(READ_TIMEOUT, self._check_reader)

    def _check_reader(self) -> None:
        """Cut the connection of a client that has read nothing since the last check."""
        if self.transport.get_write_buffer_size() >= self._unread:
            self.transport.abort()
        else:
            self._start_read_timer()


class _Requests(h11.Connection):
    """The requests of a connection: h11's, without those of `fault_of`. uvicorn's own 500 gets the headers."""

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        """Return the parts of an event. Called by `send` for all that is sent. Raises LocalProtocolError."""
        if isinstance(event, h11.Response) and event.status_code == 500:
            given = {name for name, _ in event.headers}
            missing = [header for header in _HEADERS if header[0].lower() not in given]
            event = h11.Response(status_code=500, reason=event.reason, headers=[*event.headers, *missing])
        return super().send_with_data_passthrough(event)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Return the next event. Raises RemoteProtocolError."""
        event = super().next_event()
        if isinstance(event, h11.Request) and (fault := fault_of(event)):
            raise h11.RemoteProtocolError(fault)
        return event


def fault_of(request: h11.Request) -> str:
    """Return the fault of a request that another server may read in another way, as a sentence; empty without one.

    Content-Length with Transfer-Encoding (RFC 9112 section 6.1), Transfer-Encoding in HTTP/1.0 (the same), another
    version than 1.x, and a target that is not a path (section 3.2: a proxy and CONNECT have the others).
    """
    names = {name for name, _ in request.headers}
    if b"transfer-encoding" in names and (b"content-length" in names or request.http_version < b"1.1"):
        return "the length of its body is given in two ways, or in one that its version does not have"
    if not request.http_version.startswith(b"1."):
        return f"its version is HTTP/{request.http_version.decode()}"
    if not request.target.startswith(b"/") and (request.method, request.target) != (b"OPTIONS", b"*"):
        return "its target is not a path"
    return ""


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
