"""One HTTP connection: uvicorn's, with limits on the resources of a client.

What we want: no client takes the host's descriptors or memory. It may open thousands of connections, send a request
byte by byte, or read no response. What does not work: uvicorn's own limits, which answer 503 to too
many connections and keep them, and wait for ever for a request and for a reader.
What can still fail: MAX_CONNECTIONS clients keep others out, for REQUEST_TIMEOUT seconds at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from h11 import LocalProtocolError
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 256
"""Connections of one server at the same time."""
REQUEST_TIMEOUT: Final = 10.0
"""Seconds that a whole request may take."""
READ_TIMEOUT: Final = 30.0
"""Seconds in which a client must read a part of the response that waits for it."""

_BUSY: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class HTTPConnection(H11Protocol):
    """A connection. `turn_away`: called when there are too many; `uvicorns`: the arguments of uvicorn's protocol."""

    def __init__(self, turn_away: Callable[[], None], **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._turn_away = turn_away
        self._request_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        # Bytes that the client had not read when each timer was started.
        self._unread_before_request = 0
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for a request; where there are too many connections, answer 503 and close."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
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

    def data_received(self, data: bytes) -> None:
        """Read bytes of a request."""
        try:
            super().data_received(data)
        except LocalProtocolError:  # uvicorn answers 400 after it has begun another response
            self.transport.close()
        self._time_request()

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
        self._unread_before_request = self.transport.get_write_buffer_size()
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


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
