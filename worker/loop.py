"""The loop of a worker without an event loop: it waits for a request, answers it, and waits for the next one.

It ends with the stop frame, with the end of its input (the host is gone), and with SIGTERM; each time after the request
that is running. A request that is on its way when SIGTERM comes goes back untouched, and the host runs it on another
worker (docs/reference/wire.md, 'Worker protocol').
"""

from __future__ import annotations

import os
from _signal import SIGTERM, signal  # type: ignore[import-not-found]

from ..goridge.frame import CONTROL
from ..goridge.worker import LEAVING, is_stop, pid_payload, request_parts
from .answers import Reply, Stopped, answer, log_failure
from .messages import Request
from .process import LEAVE_TIMEOUT, WorkerProcess, take_cancel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answers import Steps, Wait


class _Interrupted(BaseException):
    """SIGTERM has come while the worker waited for a request."""


class Loop:
    """The loop of one process. From its construction on SIGTERM ends the wait for a request."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process
        self._relay = process.relay
        self._idle = False
        signal(SIGTERM, self._on_sigterm)

    def run(self) -> tuple[Steps, Wait] | None:
        """Serve until the worker has to leave, or until an answer needs an event loop: return its steps and its Wait.

        Raises FrameError for a wrong frame of the host, OSError from the relay.
        """
        process, relay = self._process, self._relay
        while True:
            try:
                self._idle = True  # before the look at `leaving`, so that no signal falls between the two
                if process.leaving and not relay.ready(LEAVE_TIMEOUT):
                    return None
                relay.wait()
                self._idle = False
            except _Interrupted:
                continue
            frame = relay.receive()
            if frame is None or is_stop(frame):
                return None
            if frame.flags & CONTROL:
                relay.send(CONTROL, pid_payload(os.getpid()))
            elif frame.stream:  # a STOP or PONG may come when the stream has just ended
                continue
            elif process.leaving:
                relay.send(0, LEAVING, options=(len(LEAVING),))
            else:
                process.set_up_logging()
                steps = answer(process.handler, Request(*request_parts(frame)))
                wait = self._send(steps)
                if wait is not None:
                    return steps, wait

    def _send(self, steps: Steps) -> Wait | None:
        """Send the steps of an answer. Return one that needs an event loop, which is the first if there is one."""
        step = next(steps)
        while isinstance(step, Reply):
            log_failure(step)
            self._relay.send(step.flags, step.context, step.body, options=step.options, stream=step.stream)
            if not step.more:
                steps.close()
                return None
            self._relay.fill()
            step = steps.throw(Stopped()) if take_cancel(self._relay.frames) else next(steps)
        return step

    def _on_sigterm(self, _number: int, _stack: object) -> None:
        self._process.leaving = True
        if self._idle and not self._relay.ready():
            self._idle = False
            raise _Interrupted
