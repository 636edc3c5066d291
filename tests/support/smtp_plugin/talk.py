"""A connection of the SMTP server without a socket: the test is its client, and turns its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.log import Log
from support.smtp_plugin.server import Storing

from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.connection import Connection
from rrpy.smtp_plugin.server.listener import Listener


@dataclass(eq=False)
class StillTimer:
    """A timer of a StillLoop."""

    when: float
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class StillLoop:
    """The event loop, with a clock that stands still until the test turns it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = 1000.0
        self._timers: list[StillTimer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> StillTimer:
        timer = StillTimer(self.now + delay, callback)
        self._timers.append(timer)
        return timer

    def ring(self, until: float) -> None:
        """Set the clock forward, and call each timer at its time. Those of the listener's sweeps are among them."""
        while due := [each for each in self._timers if not each.cancelled and each.when <= until]:
            first = min(due, key=lambda timer: timer.when)
            self._timers.remove(first)
            self.now = first.when
            first.callback()
        self.now = until

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class Wire(asyncio.Transport):
    """The transport. `sent`: the server's bytes. `unsent`: how many of them the client has not read."""

    def __init__(self, peer: Any) -> None:
        super().__init__({"peername": peer})
        self.sent = b""
        self.unsent = 0
        self.ended = self.closed = self.aborted = False
        self._reading = True

    def write(self, data: Any) -> None:
        self.sent += data

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.unsent


class Talk:
    """A client's side of a connection."""

    def __init__(self, connection: Connection, listener: Listener, loop: StillLoop, backend: Storing) -> None:
        self.connection = connection
        self.backend = backend
        self.wire = Wire(("192.0.2.1", 40000))
        self.listener = listener
        self._loop = loop
        connection.connection_made(self.wire)

    def another(self) -> Talk:
        """Connect one more client."""
        return Talk(Connection.of(self.listener), self.listener, self._loop, self.backend)

    def say(self, data: bytes) -> bytes:
        """Send bytes, and return the replies to them."""
        self.replies()
        self.connection.data_received(data)
        return self.replies()

    def replies(self) -> bytes:
        """Return the replies since the last call."""
        said, self.wire.sent = self.wire.sent, b""
        return said

    async def replies_in_turns(self) -> bytes:
        """Let the loop turn until a turn brings no reply; return the replies."""
        said = self.replies()
        while True:
            await asyncio.sleep(0)
            now = self.replies()
            if not now:
                return said
            said += now

    def turn(self, seconds: float) -> bytes:
        """Let time pass, in steps of a second at most, and the sweep with it; return the replies."""
        while seconds > 0:
            step = min(1.0, seconds)
            self._loop.now += step
            seconds -= step
            self.connection.check(self._loop.now)
        return self.replies()

    def wait(self, seconds: float) -> bytes:
        """Let time pass, and every timer with it; return the replies."""
        self._loop.ring(self._loop.now + seconds)
        return self.replies()

    def sweep(self, seconds: float) -> bytes:
        """Let time pass at once, as in a pause of the loop; the listener's sweep follows. Return the replies."""
        self._loop.now += seconds
        self.listener._timer.cancel()
        self.listener._sweep()
        return self.replies()


@contextmanager
def talking(rules: Rules | None = None, *, verdict: Callable[..., Any] | None = None, **options: Any) -> Iterator[Talk]:
    """Connect a client, within a running event loop."""
    loop, log = StillLoop(), Log()
    backend = Storing(log, verdict)
    listener = Listener(rules or Rules(hostname="mx.test"), backend, log, loop=loop, **options)
    try:
        yield Talk(Connection.of(listener), listener, loop, backend)
    finally:
        listener.retire()
