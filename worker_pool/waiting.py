"""Requests that wait for a worker.

One timer watches the head of the queue: all wait equally long, so that the time of the head is over first. A request
that a worker hands back goes to the head, and keeps the deadline that it had.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from ..container.deadline import Deadline
from .call import Call


class WaitingQueue:
    """The queue. `timeout`: seconds that a request may wait. `expired`: called with each request that waits longer."""

    def __init__(self, timeout: float, expired: Callable[[Call], None]) -> None:
        self._timeout = timeout
        self._expired = expired
        self._calls: deque[Call] = deque()
        self._timer = Deadline()

    def __bool__(self) -> bool:
        return bool(self._calls)

    @property
    def count(self) -> int:
        """How many callers wait."""
        return sum(not call.abandoned for call in self._calls)

    def add(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        """Add a request: at the end, or at the head when it has waited before. `loop`: the running one."""
        first = call.deadline > 0
        call.deadline = call.deadline or loop.time() + self._timeout
        if not self._timer.running or call.deadline < self._timer.due:
            self._watch(call, loop)
        (self._calls.appendleft if first else self._calls.append)(call)

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
        self._timer.stop()

    def _watch(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        """Watch the deadline of this request."""
        self._timer.start(max(call.deadline - loop.time(), 0), lambda: self._expire(loop), self._timeout)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while self._calls and self._calls[0].deadline <= now:
            self._expired(self._calls.popleft())
        self.stop()  # the caller of an expired request may have added the next one, which set the timer
        if self._calls:
            self._watch(self._calls[0], loop)
