"""One worker process as the host sees it: an asyncio protocol that writes a request, and resolves its future.

There is no task and no lock in a request: the pool hands a `Call` to `send`, the answer's bytes resolve `call.answer`
and give the worker back to the pool, in the same turn of the event loop. A caller that was cancelled has left a done
future behind; the worker finishes, its answer is dropped, and it goes back all the same.

The end of a process comes in pieces (stdout ends, stderr ends, the process exits, in any order). From the first piece
on the worker is `unfit` and gets no more requests; with the last, `connection_lost`, it is `gone`, and the caller is
told what it left behind.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from signal import SIGKILL, Signals
from typing import Final, Protocol, cast

import msgspec

from ..container.protocols import Logger
from ..goridge.frame import CONTROL, ERROR, JSON, Decoder, Frame, FrameError, FrameTooLarge, encode
from .call import LEAVING, Call, fault_of
from .errors import Remains, SoftError, WorkerBroken
from .protocols import Payload
from .states import State, step
from .stderr import Lines

MAX_ANSWER: Final = 256 * 1024 * 1024
"""The largest answer taken from a worker, in bytes."""

EXIT_GRACE: Final = 1.0
"""Seconds that a process has to exit after it closed its pipes, and its pipes to end after it exited."""

YOUNG: Final = 5.0
"""Seconds: a worker that dies sooner, and without an answer, counts for the crash-loop guard."""

_STOP: Final = encode(Frame(CONTROL | JSON, b'{"stop":true}'))
_SHOWN: Final = 256


class Owner(Protocol):
    """The pool, as its workers see it."""

    def free(self, worker: Worker) -> None:
        """Take a worker that can work."""
        ...

    def lost(self, worker: Worker) -> None:
        """Give no more requests to this worker. May be told more than once."""
        ...

    def again(self, call: Call) -> None:
        """Run a request that the worker did not touch on another one."""
        ...


class _Hello(msgspec.Struct):
    pid: int


class Worker(asyncio.SubprocessProtocol):
    """A worker process, from `boot` to `dismiss` (life.py). `max_jobs`: answers before it retires, 0 is no limit.

    `up`: it has shaken hands, at `up_since` (monotonic time; 0 for one that never did), or it is gone. `unfit`: it gets
    no more requests. `drained`: it was unfit and its last request is done. `gone`: reaped; `remains` tells the rest.
    """

    def __init__(self, owner: Owner, log: Logger, max_jobs: int = 0) -> None:
        self.state = State.INACTIVE
        self.served = 0
        self.created = time.time_ns()
        self.pid = 0
        self.fault = ""
        self.unfit = asyncio.Event()
        self.gone = asyncio.Event()
        self.remains = Remains()
        self._owner = owner
        self._log = log
        self._max_jobs = max_jobs
        self.up = asyncio.Event()
        self.drained = asyncio.Event()
        self.up_since = 0.0
        self._call: Call | None = None
        self._decoder = Decoder(MAX_ANSWER)
        self._printed = b""
        self._lines = Lines(lambda line: log.info(line, pid=self.pid))
        self._exited = False
        self._killed = False
        self._more = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.SubprocessTransport
        self._stdin: asyncio.WriteTransport

    @property
    def busy(self) -> bool:
        """Whether a request is running."""
        return self._call is not None

    @property
    def died_young(self) -> bool:
        """Whether it served nobody and was up only for a moment: the mark of a crash loop."""
        return self.served == 0 and time.monotonic() - self.up_since < YOUNG

    def send(self, call: Call) -> None:
        """Give it a request; it must be ready. The call's future gets the Payload, or a PoolError."""
        if self._stdin.is_closing():
            self._pipe_ended("closed its stdin")
            self._owner.again(call)
            return
        self.state = step(self.state, State.WORKING)
        self._call = call
        self._stdin.writelines((call.head, call.context, call.body))

    def retire(self) -> None:
        """Let it finish its request and give it no other. It is `dismiss` that makes it leave."""
        self._owner.lost(self)
        self.unfit.set()

    def farewell(self) -> None:
        """Send the stop frame to a worker that is not busy. Does nothing when it is told already, or dying."""
        if self._dying or self.state is State.STOPPING:
            return
        self.state = step(self.state, State.STOPPING)
        if not self._stdin.is_closing():
            self._stdin.write(_STOP)
            self._stdin.close()  # after the frame is written: a worker that knows no frames understands the end

    def kill(self, fault: str) -> None:
        """Kill its process group. `fault`: why, for the message. Does nothing when the process is gone."""
        if self._exited or self._killed:
            return
        self._killed = True
        self.fault = self.fault or fault
        self.retire()
        self.signal(SIGKILL)

    def signal(self, number: Signals) -> None:
        """Send a signal to its process group. Does nothing when the process is gone."""
        if self._exited:
            return
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # it is gone already; on macOS a zombie's group is not permitted
            return

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process runs: shake hands."""
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self._stdin = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        self.pid = self._transport.get_pid()
        if not self._stdin.is_closing():  # on a busy machine it may be dead before we are told that it runs
            self._stdin.write(encode(Frame(CONTROL | JSON, b'{"pid":%d}' % os.getpid())))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Bytes of stdout are frames, those of stderr are the log."""
        if fd == 2:
            self._lines.feed(data)
            return
        if self.state is State.INVALID:
            self._printed = (self._printed + data)[:_SHOWN]
        if self._unheard():
            return
        try:
            frames = self._decoder.feed(data)
        except FrameError as error:
            if not isinstance(error, FrameTooLarge):
                self._printed = error.data
            self._break(f"broke the protocol ({error})")
            return
        for number, frame in enumerate(frames, 1):
            if self._unheard():
                return
            self._more = number < len(frames) or self._decoder.pending
            self._received(frame)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """A pipe ended: the beginning of the process's end, unless it was told to leave."""
        if fd == 2:
            self._lines.flush()
        else:
            self._pipe_ended("closed its stdout" if fd == 1 else "closed its stdin")

    def process_exited(self) -> None:
        """The process is reaped: end what it left of its group, and do not wait long for its pipes."""
        self.signal(SIGKILL)
        self._exited = True
        self.retire()
        self._stdin.close()
        self._arm(self._transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process and its pipes are gone: write the last record and tell whoever waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._lines.flush()
        self._transport.close()
        left_when_told = State.STOPPED if self.state is State.STOPPING else State.ERRORED
        self.state = step(self.state, State.DESTROYED if self._killed else left_when_told)
        self.remains = Remains(self.pid, self._transport.get_returncode(), self._printed, tuple(self._lines.last))
        self.retire()
        call, self._call = self._call, None
        if call is not None:
            call.fail(WorkerBroken(self.remains, self.fault))
        for event in (self.up, self.drained, self.gone):
            event.set()

    # What a frame means.

    def _received(self, frame: Frame) -> None:
        call = self._call
        if call is None:
            self._unasked(frame)
        elif frame.flags & ERROR:
            call.fail(SoftError(frame.payload.decode("utf-8", "replace")))
            self._answered()
        elif fault := fault_of(frame):
            self._break(f"broke the protocol ({fault})")
        elif frame.payload == LEAVING and frame.options[0] == len(LEAVING):
            self._leaving(call)
        else:
            split = frame.options[0]
            call.resolve(Payload(frame.payload[:split], frame.payload[split:]))
            self._answered()

    def _leaving(self, call: Call) -> None:
        self._call = None
        self.drained.set()
        self.farewell()
        self.retire()
        if not call.answer.done():
            self._owner.again(call)

    def _answered(self) -> None:
        self._call = None
        self.served += 1
        if self._more:
            # What follows an answer would be taken for the answer to the next request.
            self._break("broke the protocol (it sent a frame that nobody asked for)")
            return
        if self._max_jobs and self.served >= self._max_jobs:
            self.state = step(self.state, State.MAX_JOBS_REACHED)
            self.retire()
        else:
            self.state = step(self.state, State.READY)
        if self.unfit.is_set():
            self.drained.set()
        else:
            self._owner.free(self)

    def _unasked(self, frame: Frame) -> None:
        if self.state in (State.INVALID, State.STOPPING):
            return
        if self.state is not State.INACTIVE:
            self._break("broke the protocol (it sent a frame that nobody asked for)")
            return
        try:
            if not frame.flags & CONTROL:
                raise ValueError("not a CONTROL frame")
            msgspec.json.decode(frame.payload, type=_Hello)
        except ValueError as error:
            self._printed = frame.payload[:_SHOWN]
            self._break(f"gave a wrong answer to the handshake ({error})")
            return
        self.state = step(self.state, State.READY)
        self.up_since = time.monotonic()
        self.up.set()
        if not self.unfit.is_set():
            self._owner.free(self)

    # How it ends.

    def _break(self, fault: str) -> None:
        self.state = step(self.state, State.INVALID)
        self.fault = self.fault or fault
        self.kill(fault)

    def _unheard(self) -> bool:
        """Whether what it says has no meaning any more."""
        return self._killed or self.state in (State.INVALID, State.STOPPING)

    @property
    def _dying(self) -> bool:
        return self._exited or self._killed or self._timer is not None

    def _pipe_ended(self, what: str) -> None:
        if self._dying or self.state is State.STOPPING:
            return
        self.retire()
        # Most often it is about to exit, and its status says more than our signal would.
        self._arm(lambda: self.kill(f"{what} and did not exit"))

    def _arm(self, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(EXIT_GRACE, then)
