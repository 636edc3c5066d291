"""One worker process as the host sees it: its state, and how it ends.

There is no task and no lock in a request: the pool hands a `Call` to `send`, the answer's bytes resolve it
(exchange.py) and give the worker back to the pool, in the same turn of the event loop. A caller that was cancelled has
left a done future behind; the worker finishes, its answer is dropped, and it goes back all the same.

The end of a process comes in pieces (its channel ends, stderr ends, the process exits, in any order). From the first
piece on the worker is `unfit` and gets no more requests; with the last it is `gone`, and the caller is told what it
left behind.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from signal import SIGKILL, Signals
from typing import Final, Protocol, cast

from ..container.protocols import Logger
from ..goridge.frame import CONTROL, JSON, Frame, encode
from .call import Call
from .channel import Channel, Pipes, greeting, pid_of
from .errors import ExecTimeout, Remains, WorkerBroken
from .exchange import SHOWN, Exchange, Terms
from .states import State, step
from .stderr import LastWords

EXIT_GRACE: Final = 1.0
"""Seconds that a process has to exit after it closed its channel, and its pipes to end after it exited."""

YOUNG: Final = 5.0
"""Seconds: a worker that dies sooner, and without an answer, counts for the crash-loop guard."""

_STOP: Final = encode(Frame(CONTROL | JSON, b'{"stop":true}'))
_SPOKE_UNASKED: Final = "broke the protocol (it sent a frame that nobody asked for)"


class Owner(Protocol):
    """The pool, as its workers see it. `served`: requests that its workers have answered."""

    served: int

    def free(self, worker: Worker) -> None:
        """Take a worker that can work."""
        ...

    def lost(self, worker: Worker) -> None:
        """Give no more requests to this worker. May be told more than once."""
        ...

    def again(self, call: Call) -> None:
        """Run a request that the worker did not touch on another one."""
        ...


class Worker(asyncio.SubprocessProtocol):
    """A worker process, from `boot` to `dismiss` (life.py). `dials`: its channel is a connection that it makes to us.

    `up`: it has shaken hands, at `up_since` (monotonic time; 0 for one that never did), or it is gone. `idle_since`:
    the time of its last answer. `unfit`: it gets no more requests. `drained`: it was unfit and its last request is
    done. `gone`: reaped; `remains` tells the rest.
    """

    def __init__(self, owner: Owner, log: Logger, terms: Terms, *, dials: bool = False) -> None:
        self.state = State.INACTIVE
        self.served = 0
        self.created = time.time_ns()
        self.pid = 0
        self.fault = ""
        self.unfit = asyncio.Event()
        self.gone = asyncio.Event()
        self.remains = Remains()
        self.up = asyncio.Event()
        self.drained = asyncio.Event()
        self.up_since = 0.0
        self.idle_since = 0.0
        self._owner = owner
        self._max_jobs = terms.max_jobs
        self._dials = dials
        self._exchange = Exchange(self, terms)
        self._words = LastWords(log, self)
        self._reached: State | None = None
        self._overdue = False
        self._exited = False
        self._reaped = False
        self._killed = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.SubprocessTransport

    @property
    def busy(self) -> bool:
        """Whether a request is running."""
        return self._exchange.busy

    @property
    def expiring(self) -> bool:
        """Whether it leaves when its request is answered, for a limit that it has reached."""
        return self._reached is not None

    @property
    def died_young(self) -> bool:
        """Whether it served nobody and was up only for a moment: the mark of a crash loop."""
        return self.served == 0 and not self._overdue and time.monotonic() - self.up_since < YOUNG

    def send(self, call: Call) -> None:
        """Give it a request; it must be ready. The call gets its answer, or a PoolError."""
        if not self._exchange.writable:
            self._channel_ended("closed its stdin")
            self._owner.again(call)
            return
        try:
            frame = call.frame()
        except Exception as error:  # it is made only now
            call.fail(error)
            asyncio.get_running_loop().call_soon(self._give_back)  # not at once: the next one may fail too
            return
        self.state = step(self.state, State.WORKING)
        self._words.last.clear()  # what it said of an earlier request explains nothing of this one
        self._exchange.begin(call, frame)

    def retire(self) -> None:
        """Let it finish its request and give it no other. It is `dismiss` that makes it leave."""
        self._owner.lost(self)
        self.unfit.set()

    def expire(self, reached: State) -> None:
        """Retire it for a limit that it has reached: at once, or when its request is answered."""
        if self.busy:
            self._reached = reached
        elif self.state is State.READY:
            self.state = step(self.state, reached)
            self.retire()

    def farewell(self) -> None:
        """Send the stop frame to a worker that is not busy. Does nothing when it is told already, or dying."""
        if self._dying or self.state is State.STOPPING:
            return
        self.state = step(self.state, State.STOPPING)
        self._exchange.deaf = True
        channel = self._exchange.channel
        if channel is not None and not channel.closing:
            channel.write((_STOP,))
            channel.end()  # a worker that knows no frames understands the end

    def kill(self, fault: str) -> None:
        """Kill its process group. `fault`: why, for the message. Does nothing when the process is gone."""
        if self._exited or self._killed:
            return
        self._killed = True
        self._exchange.deaf = True
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

    # What the channel's owner tells.

    def attach(self, channel: Channel) -> None:
        """Speak over this channel from now on. Our half of the handshake was said by whoever opened it."""
        self._exchange.channel = channel

    def received(self, data: bytes) -> None:
        """Take bytes of the channel."""
        self._exchange.feed(data)

    def channel_lost(self) -> None:
        """Take notice that the connection which it made is closed."""
        self._exchange.channel = None
        if self._reaped:
            self._end()
        else:
            self._channel_ended("closed its connection")

    # What asyncio tells of the process.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process runs: shake hands, unless it is to dial in first."""
        self._transport = cast(asyncio.SubprocessTransport, transport)
        self.pid = self._transport.get_pid()
        if self._dials:
            return
        pipes = Pipes(self._transport)
        self.attach(pipes)
        if not pipes.closing:  # on a busy machine it may be dead before we are told that it runs
            pipes.write((greeting(),))

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Bytes of stdout are frames, unless it dials in; all others are the log."""
        if fd == 1 and not self._dials:
            self._exchange.feed(data)
        else:
            self._words.feed(fd, data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """A pipe ended: the beginning of the process's end, unless it was told to leave."""
        if fd == 2 or self._dials:
            self._words.flush()
        else:
            self._channel_ended("closed its stdout" if fd == 1 else "closed its stdin")

    def process_exited(self) -> None:
        """The process is reaped: end what it left of its group, and do not wait long for its pipes."""
        self.signal(SIGKILL)
        self._exited = True
        self.retire()
        if (channel := self._exchange.channel) is not None:
            channel.pause(False)
            channel.end()
        self._arm(self._let_go)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process and its pipes are gone; what it said over its connection may still be on the way."""
        self._reaped = True
        if not self._dials or self._exchange.channel is None:
            self._end()

    # What the exchange tells.

    def answered(self, more: bool) -> None:
        """Give it back to the pool, unless it has reached a limit."""
        self.served += 1
        self._owner.served += 1
        self.idle_since = time.monotonic()
        if more:  # what follows an answer would be taken for the answer to the next request
            self.broke(_SPOKE_UNASKED)
            return
        if self._reached is None and 0 < self._max_jobs <= self.served:
            self._reached = State.MAX_JOBS_REACHED
        self.state = step(self.state, self._reached or State.READY)
        if self._reached is not None:
            self.retire()
        self._give_back()

    def leaves(self, call: Call) -> None:
        """Let it leave, as it asks for, and run its request on another one."""
        self.drained.set()
        self.farewell()
        self.retire()
        if not call.left:
            self._owner.again(call)

    def unasked(self, frame: Frame, more: bool) -> None:
        """Take its half of the handshake; any other frame, and anything behind it, breaks the protocol."""
        if self.state is not State.INACTIVE or more:
            self.broke(_SPOKE_UNASKED)
            return
        try:
            pid_of(frame)
        except ValueError as error:
            self._exchange.printed = frame.payload[:SHOWN]
            self.broke(f"gave a wrong answer to the handshake ({error})")
            return
        self.state = step(self.state, State.READY)
        self.up_since = self.idle_since = time.monotonic()
        self.up.set()
        self._give_back()

    def broke(self, fault: str) -> None:
        """Kill it: nothing that it says can be trusted any more."""
        self.state = step(self.state, State.INVALID)
        self.fault = self.fault or fault
        self._exchange.deaf = True  # also where there is nothing left to kill
        self.kill(fault)

    def late(self, fault: str, *, answer: bool) -> None:
        """Kill it: it took longer than it may."""
        if self._dying:
            return
        if answer:
            self._overdue = True
            self.state = step(self.state, State.EXEC_TTL_REACHED)
        self.kill(fault)

    def _give_back(self) -> None:
        if self.unfit.is_set():
            self.drained.set()
        else:
            self._owner.free(self)

    # How it ends.

    @property
    def _dying(self) -> bool:
        return self._exited or self._killed or self._timer is not None

    def _channel_ended(self, what: str) -> None:
        if self._dying or self.state is State.STOPPING:
            return
        self.retire()
        # Most often it is about to exit, and its status says more than our signal would.
        self._arm(lambda: self.kill(f"{what} and did not exit"))

    def _arm(self, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(EXIT_GRACE, then)

    def _let_go(self) -> None:
        self._transport.close()
        if (channel := self._exchange.channel) is not None:
            channel.close()

    def _end(self) -> None:
        """Everything has ended: write the last record and tell whoever waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._words.flush()
        self._transport.close()
        left_when_told = State.STOPPED if self.state is State.STOPPING else State.ERRORED
        self.state = step(self.state, State.DESTROYED if self._killed else left_when_told)
        status, printed = self._transport.get_returncode(), self._exchange.printed
        self.remains = Remains(self.pid, status, printed, tuple(self._words.last))
        self.retire()
        call = self._exchange.drop()
        if call is not None:
            broken = ExecTimeout if self._overdue else WorkerBroken
            call.fail(broken(self.remains, self.fault))
        for event in (self.up, self.drained, self.gone):
            event.set()
