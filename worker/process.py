"""The process of a worker, as both of its loops, `loop` and `aio`, see it."""

from __future__ import annotations

import os
import sys

# `signal` makes enums of these, which takes a tenth of a worker's start.
from _signal import (  # type: ignore[import-not-found]
    SIG_BLOCK,
    SIG_DFL,
    SIG_UNBLOCK,
    SIGTERM,
    pthread_sigmask,
    set_wakeup_fd,
    signal,
)
from collections import deque

from ..goridge.frame import STOP, Frame
from ..goridge.relay import Relay
from .messages import Handler

LEAVE_TIMEOUT = 0.1
"""Seconds that a worker which leaves waits for a request that is on its way."""


class WorkerProcess:
    """The worker's handler and its relay to the host. `leaving`: SIGTERM has come.

    SIGTERM sets `leaving` and interrupts nothing, until a loop has a handler of its own for it.
    """

    def __init__(self, handler: Handler, relay: Relay) -> None:
        self.handler = handler
        self.relay = relay
        self.leaving = False
        self._logging_is_set_up = False
        signal(SIGTERM, self._on_sigterm)
        # Held back meanwhile: a signal between the fork and the child's first step would count as the parent's.
        os.register_at_fork(before=_hold_sigterm, after_in_parent=_let_sigterm_through, after_in_child=_reset_sigterm)

    def set_up_logging(self) -> None:
        """Give the standard `logging` the worker's form of a line, once, after the user's code has imported it."""
        if not self._logging_is_set_up and "logging" in sys.modules:
            from .logs import set_up

            set_up()
            self._logging_is_set_up = True

    def _on_sigterm(self, _number: int, _stack: object) -> None:
        self.leaving = True


def take_cancel(frames: deque[Frame]) -> bool:
    """Take the frames about a stream; say whether one cancels it. The others stay for after the stream."""
    found = [frame.stream for frame in frames if frame.stream]
    if found:
        kept = [frame for frame in frames if not frame.stream]
        frames.clear()
        frames.extend(kept)
    return any(stream & STOP for stream in found)


def _hold_sigterm() -> None:
    pthread_sigmask(SIG_BLOCK, (SIGTERM,))


def _let_sigterm_through() -> None:
    pthread_sigmask(SIG_UNBLOCK, (SIGTERM,))


def _reset_sigterm() -> None:
    """Let SIGTERM end a process that a handler has forked. It must not wake the parent's event loop."""
    signal(SIGTERM, SIG_DFL)
    set_wakeup_fd(-1)
    _let_sigterm_through()
