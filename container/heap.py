"""The heap of the process: after a burst its free pages go back to the system.

What we want: the memory that the system counts for a host is the memory that it needs. What does not work: glibc keeps
free pages between blocks in use, 250 of 340 MB after 2,000 messages; Python's collector frees nothing of them. What we
do: each part reports the bytes that it frees. After `TRIM_AFTER` bytes a timer starts, and after `IDLE` seconds without
a report the heap is trimmed, which takes 0.1 ms for each MB. A host with little to do starts no timer.
What can still fail: a libc without malloc_trim (musl, macOS) keeps what it keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

TRIM_AFTER: Final = 16 * 1024 * 1024
"""Freed bytes that are worth a trim."""

IDLE: Final = 1.0
"""Seconds without a report, after which a burst is over."""

CONNECTION_BYTES: Final = 64 * 1024
"""Bytes that the end of a connection frees, about."""


def malloc_trim() -> None:
    """Give every free page of the heap back to the system, where the libc can."""
    import ctypes  # here, because few hosts need it

    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


class Heap:
    """A heap, in the thread of an event loop. `trim`: gives its free pages back."""

    def __init__(self, trim: Callable[[], None] = malloc_trim) -> None:
        self._trim = trim
        self._freed = 0  # bytes since the last trim
        self._seen = 0  # the same when the timer was started
        self._loop: asyncio.AbstractEventLoop | None = None  # of the timer

    def freed(self, size: int) -> None:
        """Report that `size` bytes were freed, or are free after this turn of the event loop."""
        self._freed += size
        # `get_running_loop` costs a system call, and many reports come while the timer runs.
        if self._freed >= TRIM_AFTER and (self._loop is None or self._loop.is_closed()):
            self._start_timer(asyncio.get_running_loop())

    def _start_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._seen = self._freed
        loop.call_later(IDLE, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._freed != self._seen:
            self._start_timer(loop)
            return
        self._loop = None
        self._freed = 0
        self._trim()


HEAP: Final = Heap()
"""The heap of this process."""
