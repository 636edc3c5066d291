"""One worker process as the host sees it: its states, and how it ends.

There is no task and no lock in a request. The pool gives a `Call` to `send`. The bytes of the answer resolve it
(requester.py) and give the worker back to the pool, in the same turn of the event loop. A cancelled caller leaves a
done future: the worker finishes, its answer is dropped, and the worker goes back to the pool all the same.

The end of a process comes in pieces: its channel ends, stderr ends, the process exits, in any order. The first piece
retires the worker: it gets no more requests. After the last one it is gone, and the caller gets the report of its exit.
The transitions stand in tables (states.py): `TRANSITIONS` for the state that clients see, `PROCESS` for the rest.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from signal import SIGKILL, Signals
from typing import Final, Protocol, cast

from ..container.deadline import Deadline
from ..container.protocols import Logger
from ..container.states import Machine
from ..goridge.frame import Frame
from ..goridge.worker import STOP_FRAME, host_handshake, worker_pid
from .call import Call
from .channel import Channel, Pipes, ended
from .errors import ExecTimeout, ExitReport, WorkerBroken
from .limits import WorkerLimits
from .outputs import LoggedProcess
from .requester import SHOWN, Requester
from .states import PROCESS, ProcessState, State, step
from .stderr import OutputLog

EXIT_TIMEOUT: Final = 1.0
"""Seconds that a process has to exit after its channel ended, and its pipes to end after it exited."""

EARLY: Final = 5.0
"""Seconds: a worker that dies sooner, and without an answer, counts for the crash-loop guard."""

_SPOKE_UNASKED: Final = "broke the protocol (it sent a frame without a request)"
# Names for the hot path: until Python 3.12, reading a member of an Enum takes as long as the rest of a comparison.
_SERVING: Final = ProcessState.SERVING
_READY: Final = State.READY
_WORKING: Final = State.WORKING


class Dispatcher(Protocol):
    """The pool, as its workers see it. `served`: requests that all its workers have answered."""

    served: int

    def free(self, worker: Worker) -> None:
        """Take back a worker that can take a request."""
        ...

    def retired(self, worker: Worker) -> None:
        """Give no more requests to this worker."""
        ...

    def dispatch(self, call: Call) -> None:
        """Give a request to the next free worker."""
        ...


class Worker(LoggedProcess):
    """A worker process, from `boot` to `stop_worker` (life.py). `connects`: it makes a connection for its channel.

    `created`: unix nanoseconds. `up_since`, `idle_since`: monotonic times of its handshake (0 before it) and of its
    last answer. `fault`: why the host killed it; empty when it did not. `exit_report`: complete when `gone`.
    """

    def __init__(self, dispatcher: Dispatcher, log: Logger, limits: WorkerLimits, *, connects: bool = False) -> None:
        self.state = State.INACTIVE
        self.served = 0
        self.created = time.time_ns()
        self.pid = 0
        self.up_since = 0.0
        self.idle_since = 0.0
        self.fault = ""
        self.exit_report = ExitReport()
        self._dispatcher = dispatcher
        self._max_jobs = limits.max_jobs
        self._connects = connects
        self._process = Machine("worker process", PROCESS, ProcessState.BOOTING)
        self._requester = Requester(self, limits)
        self._output = OutputLog(log)
        self._limit_reached: State | None = None
        self._last_state = State.ERRORED  # unless the host ends it
        self._changed = asyncio.Event()
        self._deadline = Deadline()
        self._transport: asyncio.SubprocessTransport | None = None

    # Its states.

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._requester.busy

    @property
    def retired(self) -> bool:
        """Whether it gets no more requests."""
        return self._process.state not in (ProcessState.BOOTING, _SERVING)

    @property
    def drained(self) -> bool:
        """Whether it gets no more requests and its last one is done."""
        return self.retired and not self.busy

    @property
    def gone(self) -> bool:
        """Whether its process is reaped and `exit_report` is complete."""
        return self._process.state is ProcessState.GONE

    @property
    def expiring(self) -> bool:
        """Whether it leaves after its request, because it has reached a limit."""
        return self._limit_reached is not None

    @property
    def reason_to_leave(self) -> str:
        """The limit that it has reached, as its state's text; `left` when it leaves by itself; else empty.

        It counts from its retirement to its stop (`stop_worker`).
        """
        if self._limit_reached is not None:
            return self._limit_reached.text
        return "left" if self.state in (State.STOPPING, State.STOPPED) else ""

    @property
    def died_early(self) -> bool:
        """Whether it served no request and was up only for a moment: the mark of a crash loop."""
        overdue = self._limit_reached is State.EXEC_TTL_REACHED
        return self.served == 0 and not overdue and time.monotonic() - self.up_since < EARLY

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until one of its states above makes `holds` true."""
        while not holds():
            await self._changed.wait()

    async def retirement(self) -> None:
        """Wait until it is retired."""
        await self.until(lambda: self.retired)

    def _advance(self, event: str) -> None:
        """Take its process to the next state, and tell the pool and those who wait."""
        was_serving = self._process.state is _SERVING
        self._process.on(event)
        if was_serving:
            self._dispatcher.retired(self)
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # Called by the pool.

    def send(self, call: Call) -> None:
        """Send it a request; it must be free. The call gets its answer, or a PoolError."""
        channel = self._requester.channel
        if channel is None or channel.is_closing() or channel.poll(0):
            self._end_channel(channel)
            self._dispatcher.dispatch(call)
            return
        try:
            frame = call.frame()
        except Exception as error:  # the request is made only now
            call.fail(error)
            asyncio.get_running_loop().call_soon(self._give_back)  # not at once: the next one may fail too
            return
        self.state = step(self.state, _WORKING)
        self._output.tail.clear()  # the lines of an earlier request explain nothing of this one
        self._requester.send(call, frame)

    def _end_channel(self, channel: Channel | None) -> None:
        """End a channel that takes no request: it is closed, or has something to read before the worker is asked."""
        if channel is None or channel.is_closing():
            self._channel_ended("closed its stdin")
        elif ended(channel.poll(0)):
            self._channel_ended("closed its channel")
        else:  # the next caller would get this as the answer
            self.broke_protocol(_SPOKE_UNASKED)

    def retire(self) -> None:
        """Give it no more requests; it finishes the one under way. `stop_worker` makes it exit."""
        if self._process.can("retire"):
            self._advance("retire")

    def expire(self, reached: State) -> None:
        """Retire it for a limit that it has reached: at once, or after its request."""
        if self.busy:
            self._limit_reached = reached
        elif self.state is _READY:
            self._limit_reached = reached
            self.state = step(self.state, reached)
            self.retire()

    def send_stop(self) -> None:
        """Send the stop frame, unless it is sent or the process ends already. The worker must not be busy."""
        if self._ending or self.state is State.STOPPING:
            return
        self.state = step(self.state, State.STOPPING)
        self._last_state = State.STOPPED
        self._requester.ignore()
        channel = self._requester.channel
        if channel is not None and not channel.is_closing():
            channel.write((STOP_FRAME,))
            channel.end()  # for a worker that knows no frames

    def kill(self, fault: str) -> None:
        """Kill its process group. `fault`: the reason, for the message. Does nothing after the process's exit."""
        if not self._process.can("kill"):
            return
        self.fault = self.fault or fault
        self._last_state = State.DESTROYED
        self._requester.ignore()
        self._advance("kill")
        self.signal(SIGKILL)

    def signal(self, number: Signals) -> None:
        """Send a signal to its process group. Does nothing after the process's exit."""
        if not self._process.can("exit"):
            return
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # it has exited; on macOS a zombie's group is not permitted
            return

    # Called by the owner of its channel.

    def attach(self, channel: Channel) -> None:
        """Use this channel from now on. Its owner has sent the host's half of the handshake."""
        self._requester.channel = channel

    def received(self, data: bytes) -> None:
        """Take bytes of the channel."""
        self._requester.feed(data)

    def channel_lost(self) -> None:
        """Called when the connection that it made is closed."""
        self._requester.channel = None
        if self._process.can("end"):
            self._end()
        else:
            self._channel_ended("closed its connection")

    # Called by asyncio, for the process.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shake hands over its pipes, unless it connects."""
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.pid = self._output.pid = self._transport.get_pid()
        for output in self.outputs:
            output.start()
        if self._connects:
            return
        pipes = Pipes(self._transport)
        self.attach(pipes)
        if not pipes.is_closing():  # on a busy machine the process may be dead by now
            pipes.write((host_handshake(os.getpid()),))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Read frames from stdout, unless it connects; log everything else."""
        if fd == 1 and not self._connects:
            self._requester.feed(data)
        else:
            self._output.feed(fd, data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Expect the process to exit when a pipe of its channel ends."""
        if fd == 2 or self._connects:
            self._output.flush()
            self._end()
        else:
            self._channel_ended("closed its stdout" if fd == 1 else "closed its stdin")

    def process_exited(self) -> None:
        """Kill the rest of its process group, and give its pipes a moment to end."""
        self.signal(SIGKILL)
        self._advance("exit")
        if (channel := self._requester.channel) is not None:
            channel.pause(False)
            channel.end()
        self._deadline.start(EXIT_TIMEOUT, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process and its pipes are gone; the last bytes of its connection or output may still be on the way."""
        self._advance("reap")
        self._end()

    # Called by its requester.

    def answered(self, more: bool) -> None:
        """Give it back to the pool, unless it has reached a limit."""
        self.served += 1
        self._dispatcher.served += 1
        self.idle_since = time.monotonic()
        if more:  # the next request would take it for its answer
            self.broke_protocol(_SPOKE_UNASKED)
            return
        if self._limit_reached is None and 0 < self._max_jobs <= self.served:
            self._limit_reached = State.MAX_JOBS_REACHED
        self.state = step(self.state, self._limit_reached or _READY)
        if self._limit_reached is not None:
            self.retire()
        self._give_back()

    def handed_back(self, call: Call) -> None:
        """Stop it, as it asks for, and run its request on another worker."""
        self.send_stop()
        self.retire()
        self._wake()
        if not call.abandoned:
            self._dispatcher.dispatch(call)

    def spoke_unasked(self, frame: Frame, more: bool) -> None:
        """Take its half of the handshake. Any other frame breaks the protocol, and so do bytes after the handshake."""
        if self.state is not State.INACTIVE or more:
            self.broke_protocol(_SPOKE_UNASKED)
            return
        try:
            worker_pid(frame)
        except ValueError as error:
            self._requester.printed = frame.payload[:SHOWN]
            self.broke_protocol(f"gave a wrong answer to the handshake ({error})")
            return
        self.state = step(self.state, _READY)
        self.up_since = self.idle_since = time.monotonic()
        if self._process.can("shake hands"):
            self._advance("shake hands")
        self._give_back()

    def broke_protocol(self, fault: str) -> None:
        """Kill it: the host can trust no byte of it any more."""
        self.state = step(self.state, State.INVALID)
        self.fault = self.fault or fault
        self._requester.ignore()  # also where there is no process left to kill
        self.kill(fault)

    def timed_out(self, fault: str, *, answering: bool) -> None:
        """Kill it: it took longer than its limits allow."""
        if self._ending:
            return
        if answering:
            self._limit_reached = State.EXEC_TTL_REACHED
            self.state = step(self.state, State.EXEC_TTL_REACHED)
        self.kill(fault)

    def _give_back(self) -> None:
        if self._process.state is _SERVING:
            self._dispatcher.free(self)
        else:
            self._wake()

    # How it ends.

    @property
    def _ending(self) -> bool:
        """Whether its channel has ended, or its process is killed or has exited."""
        return not self._process.can("close")

    def _channel_ended(self, event: str) -> None:
        if self._ending or self.state is State.STOPPING:
            return
        self._advance("close")
        # Most often it is about to exit, and its status says more than the host's signal would.
        self._deadline.start(EXIT_TIMEOUT, lambda: self.kill(f"{event} and did not exit"))

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        if (channel := self._requester.channel) is not None:
            channel.close()
        for output in self.outputs:
            output.close()

    def _end(self) -> None:
        """After its process, its connection and its outputs: write the exit report, and fail the request under way."""
        unread = (self._connects and self._requester.channel is not None) or any(pipe.open for pipe in self.outputs)
        if unread or not self._process.can("end"):
            return
        assert self._transport is not None, "a process that has ended had a transport"
        self._deadline.stop()
        self._output.flush()
        self._transport.close()
        self.state = step(self.state, self._last_state)
        status, printed = self._transport.get_returncode(), self._requester.printed
        self.exit_report = ExitReport(self.pid, status, printed, tuple(self._output.tail))
        call = self._requester.take()
        self._requester.ignore()
        self._advance("end")
        if call is not None:
            broken = ExecTimeout if self._limit_reached is State.EXEC_TTL_REACHED else WorkerBroken
            call.fail(broken(self.exit_report, self.fault))
