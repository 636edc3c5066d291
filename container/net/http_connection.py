"""One HTTP connection: uvicorn's, with limits on what a client can hold.

What we want: whoever opens thousands of connections, sends a request byte by byte or reads no answer takes no
descriptor and no memory from the rest of the host. What does not work: uvicorn's own limits, which answer 503 to too
many connections and keep them, and wait for ever for a request and for a reader.
What can still fail: as many clients as may be here at once keep others out, for `REQUEST` seconds at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from h11 import LocalProtocolError
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS: Final = 256
"""Of one server at the same time."""
REQUEST: Final = 10.0
"""Seconds that a whole request may take."""
STALL: Final = 30.0
"""Seconds in which a client must read something of what waits for it."""

_BUSY: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection(H11Protocol):
    """A connection of uvicorn's. `turn_away`: called when there is no room for it."""

    def __init__(self, turn_away: Callable[[], None], **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._turn_away = turn_away
        self._request: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None
        self._unread = 0
        self._owed = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for a request, or turn the client away where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._turn_away()
            transport.write(_BUSY)
            transport.close()
            return
        self._watch_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch nothing any more."""
        _cancel(self._request)
        _cancel(self._reader)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        try:
            super().data_received(data)
        except LocalProtocolError:  # its answer to what is no HTTP, behind the beginning of another answer
            self.transport.close()
        self._watch_request()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch_request()

    def pause_writing(self) -> None:
        """Watch whether the client reads."""
        super().pause_writing()
        _cancel(self._reader)
        self._unread = self.transport.get_write_buffer_size()
        self._reader = self.loop.call_later(STALL, self._check_reader)

    def resume_writing(self) -> None:
        """Trust the client again."""
        _cancel(self._reader)
        super().resume_writing()

    def _watch_request(self) -> None:
        """Keep the clock running from the first wait for a request to its last byte."""
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            _cancel(self._request)
            self._request = None
        elif self._request is None and not self.transport.is_closing():
            self._await_request()

    def _await_request(self) -> None:
        self._owed = self.transport.get_write_buffer_size()
        self._request = self.loop.call_later(STALL if self._owed else REQUEST, self._check_request)

    def _check_request(self) -> None:
        """End the connection, unless the client still reads the last answer: that may take as long as it reads."""
        if 0 < self.transport.get_write_buffer_size() < self._owed:
            self._await_request()
        else:
            self.transport.abort()

    def _check_reader(self) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread >= self._unread:
            self.transport.abort()
            return
        self._unread = unread
        self._reader = self.loop.call_later(STALL, self._check_reader)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
