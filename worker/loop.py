"""A worker's life: shake hands, answer requests one by one, stop when told (WIRE.md, 'Worker protocol').

It ends with the stop frame, with the end of its input (the host is gone), and with SIGTERM; each time after the request
that is running, and with status 0. A request that is on its way when SIGTERM comes goes back unread (WIRE.md, 'Worker
protocol', 5), and the host runs it on another worker.

The life begins here, without an event loop. It moves to `aio` for good when the handler is `async def`, or else with
the first request for which it gives something to be awaited: no other worker pays for asyncio.
"""

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

from ..goridge.frame import CONTROL, STOP, Frame, FrameError
from ..goridge.relay import Relay
from ..goridge.worker import LEAVING, is_stop, pid_payload, request_parts
from .exchange import Handler, Reply, Stopped, answers, as_handler, report
from .messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .exchange import AnyHandler, Exchange, Wait

LEAVE_TIMEOUT = 0.1
"""Seconds that a worker which leaves waits for a request that is on its way."""

_ASYNC = 0x80 | 0x200  # inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def serve(given: AnyHandler, relay: Relay) -> int:
    """Serve until told to stop; return the exit status. The handler's SystemExit and KeyboardInterrupt pass through."""
    handler = as_handler(given)
    life = Life(handler, relay)
    life.adopt_logging()
    try:
        if getattr(getattr(handler, "__code__", None), "co_flags", 0) & _ASYNC:
            from . import aio

            aio.live(life)
        else:
            life.live()
    except FrameError as error:
        sys.stderr.write(f"rrpy.worker: the host sent what is not a frame: {error}\n")
        return 1
    except ConnectionError:  # the host is gone
        pass
    return 0


class _Interrupted(BaseException):
    """SIGTERM has come while the worker waited for a request."""


class Life:
    """A worker's life without an event loop. `leaving`: SIGTERM has come."""

    def __init__(self, handler: Handler, relay: Relay) -> None:
        self.handler = handler
        self.relay = relay
        self.leaving = False
        self._idle = False
        self._adopted = False
        signal(SIGTERM, self._on_sigterm)
        # Held back meanwhile: one that comes between the fork and the child's first step would be the parent's.
        os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_begin_anew)

    def live(self) -> None:
        """Serve until told to stop."""
        while True:
            try:
                self._idle = True  # before the look at `leaving`, so that no signal falls between the two
                if self.leaving and not self.relay.ready(LEAVE_TIMEOUT):
                    return
                self.relay.wait()
                self._idle = False
            except _Interrupted:
                continue
            frame = self.relay.receive()
            if frame is None or is_stop(frame):
                return
            if frame.flags & CONTROL:
                self.relay.send(CONTROL, pid_payload(os.getpid()))
            elif frame.stream:  # a STOP or PONG may come when the stream has just ended
                continue
            elif self.leaving:
                self.relay.send(0, LEAVING, options=(len(LEAVING),))
            else:
                self.adopt_logging()
                exchange = answers(self.handler, Request(*request_parts(frame)))
                wait = self._answer(exchange)
                if wait is not None:
                    from . import aio

                    aio.live(self, exchange, wait)
                    return

    def adopt_logging(self) -> None:
        """Give the standard `logging` the worker's form of a line, once, when the user's code has imported it."""
        if not self._adopted and "logging" in sys.modules:
            from .logs import adopt

            adopt()
            self._adopted = True

    def _answer(self, exchange: Exchange) -> Wait | None:
        """Send the steps of an exchange. Return one that needs an event loop, which is the first if there is one."""
        step = next(exchange)
        while isinstance(step, Reply):
            report(step)
            self.relay.send(step.flags, step.context, step.body, options=step.options, stream=step.stream)
            if not step.more:
                exchange.close()
                return None
            self.relay.fill()
            step = exchange.throw(Stopped()) if take_stop(self.relay.frames) else next(exchange)
        return step

    def _on_sigterm(self, _number: int, _stack: object) -> None:
        self.leaving = True
        if self._idle and not self.relay.ready():
            self._idle = False
            raise _Interrupted


def _hold() -> None:
    pthread_sigmask(SIG_BLOCK, (SIGTERM,))


def _let_go() -> None:
    pthread_sigmask(SIG_UNBLOCK, (SIGTERM,))


def _begin_anew() -> None:
    """Let a process that a handler has forked die of SIGTERM, and not wake its parent's event loop."""
    signal(SIGTERM, SIG_DFL)
    set_wakeup_fd(-1)
    _let_go()


def take_stop(frames: deque[Frame]) -> bool:
    """Take the frames that are about a stream; say whether one cancels it. The others stay for after the stream."""
    found = [frame.stream for frame in frames if frame.stream]
    if found:
        kept = [frame for frame in frames if not frame.stream]
        frames.clear()
        frames.extend(kept)
    return any(stream & STOP for stream in found)
