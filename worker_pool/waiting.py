"""Requests that wait for a worker.

One timer watches the head of the queue: all wait equally long, so that the time of the head is over first. A request
that a worker hands back goes to the head, and keeps the deadline that it had.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from .call import Call


class WaitingQueue:
    """The queue. `timeout`: seconds that a request may wait. `expired`: called with each request that waits longer."""

    def __init__(self, timeout: float, expired: Callable[[Call], None]) -> None:
        self._timeout = timeout
        self._expired = expired
        self._calls: deque[Call] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return bool(self._calls)

    @property
    def count(self) -> int:
        """How many callers wait."""
        return sum(not call.abandoned for call in self._calls)

    def add(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        """Add a request: at the end, or at the head when it has waited before. `loop`: the running one."""
        if call.deadline:
            self._calls.appendleft(call)
        else:
            call.deadline = loop.time() + self._timeout
            self._calls.append(call)
        if self._timer is not None and self._timer.when() > call.deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = loop.call_at(call.deadline, self._expire, loop)

    def remove(self, call: Call) -> None:
        """Remove a request, if it is still in the queue."""
        with suppress(ValueError):
            self._calls.remove(call)

    def next(self) -> Call | None:
        """Remove and return the first request whose caller still waits."""
        while self._calls:
            call = self._calls.popleft()
            if not call.abandoned:
                return call
        return None

    def drain(self) -> Iterator[Call]:
        """Remove and yield every request."""
        while self._calls:
            yield self._calls.popleft()

    def stop(self) -> None:
        """Watch no deadline until the next request is added."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        while self._calls and self._calls[0].deadline <= now:
            self._expired(self._calls.popleft())
        self.stop()  # the caller of an expired request may have added the next one, which set the timer
        if self._calls:
            self._timer = loop.call_at(self._calls[0].deadline, self._expire, loop)
