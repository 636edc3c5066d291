"""Requests and answers, one at a time, over a worker's channel; the worker itself (worker.py) is told what they mean.

A stream (WIRE.md, 'Worker protocol', 6) is read no faster than its reader reads: above `call.MAX_UNREAD` the channel is
paused. A stream that nobody reads any more is cancelled with one STOP frame and drained to its end, within
`stream_timeout`. STOP is sent behind the first frame of a stream only: a worker that does not stream need not know it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from ..goridge.frame import ERROR, PING, PONG, STOP, STREAM, Decoder, Frame, FrameError, FrameTooLarge, encode
from .call import LEAVING, MAX_UNREAD, Call, fault_of
from .channel import Channel
from .errors import SoftError
from .protocols import Payload

MAX_ANSWER: Final = 256 * 1024 * 1024
"""The largest frame taken from a worker, in bytes."""

MAX_UNSENT: Final = 256 * 1024
"""Bytes that a worker which pings may leave unread."""

SHOWN: Final = 256
"""How much of what a worker printed into its channel is kept, in bytes."""

_CANCEL: Final = encode(Frame(0, stream=STOP))
_PONG: Final = encode(Frame(0, stream=PONG))


class Terms(NamedTuple):
    """What a worker may do. 0 is no limit, but for `stream_timeout`; times in seconds.

    `max_jobs`: answers before it retires. `exec_ttl`: for an answer, and for each frame of a stream; above it the
    worker is killed. `stream_timeout`: for the end of a stream that was cancelled.
    """

    max_jobs: int = 0
    exec_ttl: float = 0
    stream_timeout: float = 60


class Party(Protocol):
    """The worker, as its exchange sees it."""

    def answered(self, more: bool) -> None:
        """Take notice that its request is answered. `more`: it has said more than that."""
        ...

    def leaves(self, call: Call) -> None:
        """Let go of a worker that did not touch its request and wants to leave."""
        ...

    def unasked(self, frame: Frame, more: bool) -> None:
        """Judge a frame that came without a request. `more`: it has said more than that."""
        ...

    def broke(self, fault: str) -> None:
        """End a worker that broke the protocol."""
        ...

    def late(self, fault: str, *, answer: bool) -> None:
        """End a worker that took too long; `answer`: for an answer, and not for the end of a cancelled stream."""
        ...


class Exchange:
    """The request under way. `channel`: None before there is one. `printed`: the bytes that were no frames.

    `deaf`: what comes has no meaning any more.
    """

    def __init__(self, party: Party, terms: Terms) -> None:
        self.channel: Channel | None = None
        self.deaf = False
        self.printed = b""
        self._party = party
        self._terms = terms
        self._loop = asyncio.get_running_loop()
        self._decoder = Decoder(MAX_ANSWER, split=True)
        self._call: Call | None = None
        self._streaming = False  # the first frame of a stream has come
        self._cancelled = False
        self._paused = False
        self._more = False
        self._clock: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._call is not None

    @property
    def writable(self) -> bool:
        """Whether something can be sent."""
        return self.channel is not None and not self.channel.closing

    def begin(self, call: Call, frame: Sequence[bytes]) -> None:
        """Send a request, whose frame this is. There must be none under way, and the channel must be writable."""
        assert self.channel is not None, "what is writable has a channel"
        self._call = call
        if call.streams:
            call.on_read = self._look_at_reader
        self.channel.write(frame)
        if self._terms.exec_ttl:
            self._wind_clock()

    def feed(self, data: bytes) -> None:
        """Take bytes of the channel."""
        if self.deaf:
            if self.printed:
                self.printed = (self.printed + data)[:SHOWN]
            return
        try:
            frames = self._decoder.feed(data)
        except FrameError as error:
            if not isinstance(error, FrameTooLarge):
                self.printed = error.data[:SHOWN]
            self._party.broke(f"broke the protocol ({error})")
            return
        for number, frame in enumerate(frames, 1):
            self._more = number < len(frames) or self._decoder.pending
            self._received(frame)

    def drop(self) -> Call | None:
        """Return the request under way, and have none."""
        call, self._call = self._call, None
        if call is not None and call.streams:
            call.on_read = None
        if self._clock is not None:
            self._stop_clock()
        if self._streaming:
            self._streaming = self._cancelled = False
            self._pause(False)
        return call

    def _received(self, frame: Frame) -> None:
        call = self._call
        if self.deaf:
            return
        if call is None:
            self._party.unasked(frame, self._more)
        elif frame.flags & ERROR:
            self._answered()
            call.fail(SoftError((frame.context + frame.payload).decode("utf-8", "replace")))
        elif fault := fault_of(frame):
            self._party.broke(f"broke the protocol ({fault})")
        elif frame.stream & STREAM:
            self._part(call, frame)
        elif frame.context == LEAVING and not frame.payload and not self._streaming:
            self.drop()
            self._party.leaves(call)
        else:
            self._answered()
            call.resolve(Payload(frame.context, frame.payload))

    def _answered(self) -> None:
        self.drop()
        self._party.answered(self._more)

    def _part(self, call: Call, frame: Frame) -> None:
        self._streaming = True
        if frame.stream & PING:
            if self.channel is not None and self.channel.unsent > MAX_UNSENT:
                self._party.broke("broke the protocol (it asks for PONGs and does not read them)")
                return
            self._write(_PONG)
        if self._cancelled:
            return
        call.part(Payload(frame.context, frame.payload))
        if self._terms.exec_ttl:
            self._wind_clock()
        self._look_at_reader()

    def _look_at_reader(self) -> None:
        """Read on, wait for the reader, or cancel the stream that it has left."""
        call = self._call
        if call is None or not self._streaming or self._cancelled:
            return
        if call.left:
            self._cancel()
        elif (call.unread > MAX_UNREAD) is not self._paused:
            self._pause(not self._paused)
            if self._terms.exec_ttl:
                self._wind_clock()

    def _cancel(self) -> None:
        self._cancelled = True
        self._pause(False)
        self._write(_CANCEL)
        patience = self._terms.stream_timeout
        fault = f"did not end its cancelled stream within {patience:g} s (stream_timeout)"
        self._set_clock(patience, lambda: self._party.late(fault, answer=False))

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        if self.channel is not None:
            self.channel.pause(paused)

    def _write(self, frame: bytes) -> None:
        if self.channel is not None and not self.channel.closing:
            self.channel.write((frame,))

    def _wind_clock(self) -> None:
        """Begin to measure `exec_ttl`; a worker that waits for its reader is not measured."""
        if self._paused:
            self._stop_clock()
            return
        limit = self._terms.exec_ttl
        fault = f"did not answer within {limit:g} s (exec_ttl)"
        self._set_clock(limit, lambda: self._party.late(fault, answer=True))

    def _set_clock(self, seconds: float, then: Callable[[], None]) -> None:
        self._stop_clock()
        self._clock = self._loop.call_later(seconds, then)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
