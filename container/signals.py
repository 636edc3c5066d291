"""The signals that end a host: the first asks, the second forces, the third exits at once.

What we want: after the first signal no other one kills the process by its default action, so that the exit code is the
host's own. What does not work: the event loop's handlers. They go back to the default when the loop removes them,
while the host still closes its log and the interpreter ends; a second SIGTERM in these milliseconds ends the process
with status -15. What we do: ordinary handlers, which only wake the loop. After a signal they stay when the loop has
ended. When Python has joined its threads they become SIG_IGN, for Python's own end would make them the default again.
A process that got no signal gets its former handlers back.

A parent may leave signals blocked or ignored. A blocked one would never end the host, so it is unblocked, and SIGCHLD
too: without it no exit of a worker is seen. An ignored SIGINT or SIGHUP stays ignored: shells start background jobs and
nohup's so. An ignored SIGTERM does not.
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
"""The signals that end a host."""

_MAY_BE_IGNORED: Final = (signal.SIGINT, signal.SIGHUP)

LAST: Final = 3
"""The number of the signal that ends the process at once."""


class Signals:
    """A context manager around a host's life, in the main thread.

    `on_signal`: gets each signal and its count, from 1, on the loop that `deliver` was called on. Signals that came
    before `deliver` wait for it. A third signal after the loop has ended ends the process with 1. So does a fourth at
    any time: the loop may be blocked.
    """

    def __init__(self, on_signal: Callable[[signal.Signals, int], None]) -> None:
        self._on_signal = on_signal
        self._received: list[signal.Signals] = []
        self._delivered = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False
        self._former: dict[signal.Signals, Any] = {}
        self._former_mask: set[Any] = set()

    def __enter__(self) -> Self:
        for number in ENDING:
            if number in _MAY_BE_IGNORED and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._former[number] = signal.signal(number, self._take)
        self._former_mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, (*ENDING, signal.SIGCHLD))
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        if self._received:
            atexit.register(self._ignore)
            return
        signal.pthread_sigmask(signal.SIG_SETMASK, self._former_mask)
        for number, handler in self._former.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def deliver(self) -> None:
        """Call `on_signal` on the running loop, for the signals so far and for later ones."""
        self._loop = asyncio.get_running_loop()
        self._deliver_all()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(signal.Signals(number))
        count = len(self._received)
        if count > LAST or (self._ended and count == LAST):
            os._exit(1)
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and the host has stopped
                self._loop.call_soon_threadsafe(self._deliver_all)

    def _deliver_all(self) -> None:
        while self._delivered < len(self._received):
            self._delivered += 1
            self._on_signal(self._received[self._delivered - 1], self._delivered)

    def _ignore(self) -> None:
        for number in self._former:
            signal.signal(number, signal.SIG_IGN)
