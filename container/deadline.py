"""Deadlines, for a host that may stand still: SIGSTOP, Ctrl+Z, a frozen container, a machine without CPU time.

After such a pause a timer is due before the host has read the bytes that came in time. The wait for I/O that SIGCONT
interrupts reports nothing, and then the loop runs its timers first. So a deadline does two things before it counts:

- When the loop is late by more than `MOMENT`, the deadline is put off by the time that was lost: the workers may have
  stood still too. It is put off once, and by its own length at most.
- Then the loop gets `TURNS` turns, in which it reads its sockets. An answer among these bytes stops the deadline.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import anyio

MOMENT: Final = 0.1
"""Seconds by which a timer of a busy loop may be late."""

TURNS: Final = 3
"""Turns of the loop that surely read: uvloop reads after the first, and passes on a process's output in the second."""


class Deadline:
    """One deadline; it can be started again. `due`: its loop time while it runs."""

    __slots__ = ("_handle", "_put_off", "_then", "due")

    def __init__(self) -> None:
        self.due = 0.0
        self._put_off = 0.0
        self._then: Callable[[], None]
        self._handle: asyncio.Handle | None = None

    @property
    def running(self) -> bool:
        """Whether it is started, and neither stopped nor over."""
        return self._handle is not None

    def start(self, seconds: float, then: Callable[[], None], put_off: float | None = None) -> None:
        """Call `then` after `seconds`, in place of the deadline that runs; never when they are infinite.

        `put_off`: the most seconds by which a pause of the loop puts it off; `seconds` by default.
        """
        self.stop()
        self._then = then
        self._put_off = seconds if put_off is None else put_off
        if seconds < math.inf:
            self._wait(asyncio.get_running_loop(), seconds)

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _wait(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.due = loop.time() + seconds
        self._handle = loop.call_later(seconds, self._reached, loop)

    def _reached(self, loop: asyncio.AbstractEventLoop) -> None:
        lost = loop.time() - self.due
        if self._put_off and lost > MOMENT:
            most, self._put_off = self._put_off, 0
            self._wait(loop, min(lost, most))
        else:
            self._read(loop, TURNS)

    def _read(self, loop: asyncio.AbstractEventLoop, turns: int) -> None:
        if turns:
            self._handle = loop.call_soon(self._read, loop, turns - 1)
        else:
            self._handle = None
            self._then()


@contextmanager
def time_limit(seconds: float) -> Iterator[anyio.CancelScope]:
    """Cancel the block after `seconds`, and go on after it; yield its scope."""
    deadline = Deadline()
    with anyio.CancelScope() as scope:
        deadline.start(seconds, scope.cancel)
        try:
            yield scope
        finally:
            deadline.stop()


async def sockets_read() -> None:
    """Return after the loop has read its sockets."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
