"""One request after another over a worker's channel. The worker itself (worker.py) draws the conclusions.

The states of a request are a table (`states.REQUEST`). A stream (docs/reference/wire.md#worker-protocol, 6) is read
no faster than its reader reads it: above `call.MAX_UNREAD` the channel is paused. A stream without a reader is
cancelled with one STOP frame and read to its end, within `stream_timeout`. The STOP frame follows the first frame of a
stream, never the request alone: so a worker that never streams need not know it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from ..container.deadline import Deadline
from ..container.states import Machine
from ..goridge.frame import ERROR, PING, STREAM, Decoder, Frame, FrameError, FrameTooLarge
from ..goridge.worker import CANCEL_FRAME, PONG_FRAME, answer_fault, is_leaving
from .call import MAX_UNREAD, Call
from .channel import Channel
from .errors import SoftError
from .limits import WorkerLimits
from .protocols import Payload
from .states import REQUEST, RequestState

MAX_ANSWER: Final = 256 * 1024 * 1024
"""The largest frame taken from a worker, in bytes."""

MAX_UNSENT: Final = 256 * 1024
"""Bytes that a worker which sends PING may leave unread."""

SHOWN: Final = 256
"""How many of the bytes that a worker printed into its channel are kept."""

# Names for the hot path: until Python 3.12, reading a member of an Enum takes as long as the rest of a comparison.
_WAITING: Final = RequestState.WAITING
_PAUSED: Final = RequestState.PAUSED
_IGNORING: Final = RequestState.IGNORING


class RequestListener(Protocol):
    """The worker, as its requester sees it. `more`: bytes that follow the frame have arrived with it."""

    def answered(self, more: bool) -> None:
        """Called when its request is answered."""
        ...

    def handed_back(self, call: Call) -> None:
        """Called when it gives its request back untouched, because it wants to leave."""
        ...

    def spoke_unasked(self, frame: Frame, more: bool) -> None:
        """Called with a frame that came without a request."""
        ...

    def broke_protocol(self, fault: str) -> None:
        """Called when it sends bytes that the protocol does not allow."""
        ...

    def timed_out(self, fault: str, *, answering: bool) -> None:
        """Called when it takes too long; `answering`: for an answer, else for the end of a cancelled stream."""
        ...


class Requester:
    """Sends requests and reads their answers, one at a time.

    `channel`: None before there is one. `printed`: the first bytes that were not a frame, at most `SHOWN`.
    """

    def __init__(self, listener: RequestListener, limits: WorkerLimits) -> None:
        self.channel: Channel | None = None
        self.printed = b""
        self._listener = listener
        self._exec_ttl = limits.exec_ttl
        self._stream_timeout = limits.stream_timeout
        self._machine = Machine("request", REQUEST, RequestState.IDLE)
        self._decoder = Decoder(MAX_ANSWER, split=True)
        self._call: Call | None = None
        self._deadline = Deadline()

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._call is not None

    def send(self, call: Call, frame: Sequence[bytes]) -> None:
        """Send a request. `frame`: its pieces. No other may be under way, and the channel must be open."""
        assert self.channel is not None, "a worker that takes requests has a channel"
        self._machine.on("send")
        self._call = call
        if call.streams:
            call.on_read = self._follow_reader
        self.channel.write(frame)
        if self._exec_ttl:
            self._deadline.start(self._exec_ttl, self._time_out)

    def feed(self, data: bytes) -> None:
        """Take bytes of the channel."""
        if self._machine.state is _IGNORING:
            if self.printed:
                self.printed = (self.printed + data)[:SHOWN]
            return
        try:
            frames = self._decoder.feed(data)
        except FrameError as error:
            if not isinstance(error, FrameTooLarge):
                self.printed = error.data[:SHOWN]
            self._listener.broke_protocol(f"broke the protocol ({error})")
            return
        for number, frame in enumerate(frames, 1):
            self._receive(frame, number < len(frames) or self._decoder.pending)

    def take(self) -> Call | None:
        """Return the request under way and have none; None when there is none."""
        call, self._call = self._call, None
        if call is None:
            return None
        if call.streams:
            call.on_read = None
        self._deadline.stop()
        if self._machine.state is _PAUSED:
            self._pause(False)
        self._machine.on("end")
        return call

    def ignore(self) -> None:
        """From now on ignore all that the worker sends, except the text after bytes that were not a frame."""
        self._machine.on("ignore")

    def _receive(self, frame: Frame, more: bool) -> None:
        if self._machine.state is _IGNORING:
            return
        call = self._call
        if call is None:
            self._listener.spoke_unasked(frame, more)
        elif frame.flags & ERROR:
            self._finish(more)
            call.fail(SoftError((frame.context + frame.payload).decode("utf-8", "replace")))
        elif fault := answer_fault(frame):
            self._listener.broke_protocol(f"broke the protocol ({fault})")
        elif frame.stream & STREAM:
            self._receive_part(call, frame)
        elif not frame.payload and is_leaving(frame) and self._machine.state is _WAITING:
            self.take()
            self._listener.handed_back(call)
        else:
            self._finish(more)
            call.resolve(Payload(frame.context, frame.payload))

    def _finish(self, more: bool) -> None:
        self.take()
        self._listener.answered(more)

    def _receive_part(self, call: Call, frame: Frame) -> None:
        self._machine.on("part")
        if frame.stream & PING:
            if self.channel is not None and self.channel.unsent > MAX_UNSENT:
                self._listener.broke_protocol("broke the protocol (it asks for PONGs and does not read them)")
                return
            self._write(PONG_FRAME)
        if self._machine.state is RequestState.CANCELLED:
            return
        call.part(Payload(frame.context, frame.payload))
        self._measure_exec_ttl()
        self._follow_reader()

    def _follow_reader(self) -> None:
        """Read on, pause for the reader, or cancel the stream that its reader has left."""
        call, state = self._call, self._machine.state
        if call is None or state not in (RequestState.STREAMING, RequestState.PAUSED):
            return
        paused = state is RequestState.PAUSED
        if call.abandoned:
            self._cancel(paused)
        elif (call.unread > MAX_UNREAD) is not paused:
            self._machine.on("resume" if paused else "pause")
            self._pause(not paused)
            self._measure_exec_ttl()

    def _cancel(self, paused: bool) -> None:
        self._machine.on("cancel")
        if paused:
            self._pause(False)
        self._write(CANCEL_FRAME)
        self._deadline.start(self._stream_timeout, self._time_out)

    def _pause(self, paused: bool) -> None:
        if self.channel is not None:
            self.channel.pause(paused)

    def _write(self, frame: bytes) -> None:
        if self.channel is not None and not self.channel.is_closing():
            self.channel.write((frame,))

    def _measure_exec_ttl(self) -> None:
        """Measure `exec_ttl` anew; a worker that waits for its reader is not measured."""
        if self._machine.state is _PAUSED:
            self._deadline.stop()
        elif self._exec_ttl:
            self._deadline.start(self._exec_ttl, self._time_out)

    def _time_out(self) -> None:
        if self._machine.state is RequestState.CANCELLED:
            fault = f"did not end its cancelled stream within {self._stream_timeout:g} s (stream_timeout)"
            self._listener.timed_out(fault, answering=False)
        else:
            self._listener.timed_out(f"did not answer within {self._exec_ttl:g} s (exec_ttl)", answering=True)
