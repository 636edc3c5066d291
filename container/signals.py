"""The signals that end a host: the first asks, the second forces, the third exits at once.

We want: no signal kills the process by its default action from the moment a first one came until the process is gone,
so that its exit code is its own. What does not work: the event loop's own handlers, which go back to the default when
they are removed, while the host still closes its log and the interpreter ends; a second SIGTERM in these
milliseconds ended the process with status -15. What we do: ordinary handlers, which only wake the loop, and which stay
behind the loop's end when a signal has come; when Python has joined its threads they become SIG_IGN, for Python's own
end would make them the default again. A process that got no signal gets its former handlers back.
What can still fail: a loop that is blocked in C code runs no handler.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Final, Self

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a host. SIGHUP does not where it is ignored from the start, which is what nohup does."""

LAST: Final = 3
"""The signal behind which nobody waits any more."""


class Signals:
    """`with` it around a host's life, in the main thread. `heed` gets each signal and its number in the row, from 1.

    It is called on the loop that `deliver` was called on; signals that came before wait for that. A signal that the
    loop cannot take any more, from the third on, ends the process with 1; so does a fourth, when the loop is blocked.
    """

    def __init__(self, heed: Callable[[signal.Signals, int], None]) -> None:
        self._heed = heed
        self._came: list[signal.Signals] = []
        self._heeded = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = False
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in ENDING:
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._former[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        if self._came:
            atexit.register(self._ignore)
            return
        for number, handler in self._former.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def deliver(self) -> None:
        """Call `heed` on the running loop, from now on and for what has come."""
        self._loop = asyncio.get_running_loop()
        self._tell()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(signal.Signals(number))
        count = len(self._came)
        if count > LAST or (self._over and count == LAST):
            os._exit(1)
        if self._loop is not None:
            with suppress(RuntimeError):  # it is closed: there is nothing left to stop
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        while self._heeded < len(self._came):
            self._heeded += 1
            self._heed(self._came[self._heeded - 1], self._heeded)

    def _ignore(self) -> None:
        for number in self._former:
            signal.signal(number, signal.SIG_IGN)
