"""Requests that wait for a worker.

One timer watches the head of the queue: the wait is the same for all, so the head is the first whose time is over. A
request that a worker hands back unread goes to the head, and has no more time than it had.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from .call import Call


class Waiting:
    """The queue. `patience`: seconds that a request may wait. `expired`: called with one whose time is over."""

    def __init__(self, patience: float, expired: Callable[[Call], None]) -> None:
        self._patience = patience
        self._expired = expired
        self._loop = asyncio.get_running_loop()
        self._calls: deque[Call] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return bool(self._calls)

    @property
    def count(self) -> int:
        """How many callers wait."""
        return sum(not call.left for call in self._calls)

    def add(self, call: Call) -> None:
        """Let a request wait."""
        if call.deadline:
            self._calls.appendleft(call)
        else:
            call.deadline = self._loop.time() + self._patience
            self._calls.append(call)
        if self._timer is not None and self._timer.when() > call.deadline:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(call.deadline, self._expire)

    def remove(self, call: Call) -> None:
        """Take a request out, if it is there still."""
        with suppress(ValueError):
            self._calls.remove(call)

    def next(self) -> Call | None:
        """Return the first request whose caller still waits, taken out."""
        while self._calls:
            call = self._calls.popleft()
            if not call.left:
                return call
        return None

    def drain(self) -> Iterator[Call]:
        """Yield every request, taken out."""
        while self._calls:
            yield self._calls.popleft()

    def stop(self) -> None:
        """Look at no more deadlines."""
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._calls and self._calls[0].deadline <= now:
            self._expired(self._calls.popleft())
        self.stop()  # who was refused may have added one more, which set it
        if self._calls:
            self._timer = self._loop.call_at(self._calls[0].deadline, self._expire)
