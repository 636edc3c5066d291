"""The signals of a host: some end it, some ask it for something while it runs.

| signal | meaning |
|---|---|
| SIGINT, SIGTERM, SIGQUIT | end: the first asks, the second forces, the third exits at once |
| SIGHUP | open the log's files and read certificates anew; where its terminal is gone, end |
| SIGUSR2 | replace the workers |
| SIGUSR1 | nothing |

What we want: after the first signal no other one kills the process by its default action, so that the exit code is the
host's own. During the start no signal that asks for something kills it: `hold` blocks them. One that ends a host ends
its start, also for PID 1 of a container, which loses a signal without a handler. What does not work: the event loop's
handlers. They go back to the default when the loop removes them, while the host still closes its log and the
interpreter ends; a second SIGTERM in these milliseconds ends the process with status -15. What we do: ordinary
handlers, which only wake the loop. After a signal they stay when the loop has ended. When Python has joined its threads
they become SIG_IGN, for Python's own end would make them the default again. A process that got no signal gets its
former handlers back.

A parent may leave signals blocked or ignored. A blocked one would never end the host, so it is unblocked, and SIGCHLD
too: without it no exit of a worker is seen. An ignored SIGINT stays ignored: shells start background jobs so. An
ignored SIGTERM does not. Where the parent ignores SIGHUP, as nohup does, the end of the terminal does not end the host.
What can still fail: a loop that is blocked in C code runs no handler. A signal that comes before `hold`, in the first
tenth of a second, in which Python starts, has its default action.
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

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
"""The signals that end a host."""
ASKING: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""The signals that do not, except for a SIGHUP from the end of the host's terminal."""

LAST: Final = 3
"""The number of the signal that ends the process at once."""


class Signals:
    """A context manager around a host's life, in the main thread.

    `ending`: called in the signal handler for each signal that ends the host, also while the loop is blocked.
    Signals that came before `deliver` wait for it. A third one that ends the host, after the loop has ended, ends the
    process with 1. So does a fourth at any time: the loop may be blocked.
    """

    def __init__(self, ending: Callable[[], None] = lambda: None) -> None:
        self._ending = ending
        self._on_signal: Callable[[signal.Signals, int], None]
        self._received: list[signal.Signals] = []
        self._endings = 0
        self._delivered = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False
        self._has_terminal = False
        self._former: dict[signal.Signals, Any] = {}
        self._former_mask: set[Any] = set()

    def __enter__(self) -> Self:
        self._has_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and has_terminal()
        for number in (*ENDING, *ASKING):
            if number is signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._former[number] = signal.signal(number, self._take)
        self._former_mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, (*ENDING, *ASKING, signal.SIGCHLD))
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        if self._received:
            atexit.register(self._ignore)
            return
        signal.pthread_sigmask(signal.SIG_SETMASK, self._former_mask)
        for number, handler in self._former.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def deliver(self, on_signal: Callable[[signal.Signals, int], None]) -> None:
        """Call `on_signal` on the running loop, for the signals so far and for later ones.

        It gets a signal, and its number among those that end the host, from 1; 0 for a signal that does not.
        """
        self._on_signal = on_signal
        self._loop = asyncio.get_running_loop()
        self._deliver_all()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(signal.Signals(number))
        if number in ENDING:
            self._endings += 1
            if self._endings > LAST or (self._ended and self._endings == LAST):
                os._exit(1)
            self._ending()
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and the host has stopped
                self._loop.call_soon_threadsafe(self._deliver_all)

    def _deliver_all(self) -> None:
        while self._delivered < len(self._received):
            number = self._received[self._delivered]
            self._delivered += 1
            ends = number in ENDING or (number is signal.SIGHUP and self._has_terminal and not has_terminal())
            before = sum(each in ENDING for each in self._received[: self._delivered - 1])
            self._on_signal(number, before + 1 if ends else 0)

    def _ignore(self) -> None:
        for number in self._former:
            signal.signal(number, signal.SIG_IGN)


def hold(exit_code: int = 0) -> None:
    """Let the signals that do not end a host wait for `Signals`: their default action would end one that starts.

    Until then one that ends a host raises SystemExit with `exit_code`.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)

    def end_start(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(exit_code)

    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGINT:
            signal.signal(number, end_start)


def has_terminal() -> bool:
    """Return whether the process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
