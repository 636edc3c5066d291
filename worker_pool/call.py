"""Requests on their way to a worker, and the judgement of the frame that comes back. No I/O.

A worker tells its `Call` what came: `part` for each frame of a stream, then `resolve` for the last frame, or `fail`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import ClassVar, Final

from anyio.lowlevel import checkpoint_if_cancelled

from ..goridge.frame import CONTROL, Frame, header
from .errors import UnexpectedStream
from .protocols import Payload

LEAVING: Final = b'{"stop":true}'
"""The context of an answer with an empty body by which a worker says that it leaves, and did not touch the request."""

MAX_UNREAD: Final = 1024 * 1024
"""Bytes of a stream that wait for their reader, above which the worker is not read from."""

_PART: Final = 256
"""Bytes that a part counts for beside its own: a million parts of one byte are not one megabyte."""


def frame_of(payload: Payload) -> list[bytes]:
    """Return a request's frame, in pieces. Raises ValueError for more than 4 GiB."""
    context, body = payload.context, payload.body
    split = len(context)
    frame = [header(0, split + len(body), (split,))]
    if context:  # an empty piece keeps some versions of asyncio busy for ever
        frame.append(context)
    if body:
        frame.append(body)
    return frame


class Call:
    """A request with one answer.

    `answer`: the caller's future. `deadline`: of its wait for a worker, in loop time.
    `streams`: whether it takes more than one part; then `on_read` is called when its reader has read something, and
    when it has left. The worker sets it, for as long as it has the request.
    Raises ValueError for a payload of more than 4 GiB.
    """

    __slots__ = ("_frame", "answer", "deadline", "on_read")
    streams: ClassVar[bool] = False

    def __init__(self, payload: Payload, answer: asyncio.Future[Payload]) -> None:
        self._frame = frame_of(payload)
        self.answer = answer
        self.deadline = 0.0
        self.on_read: Callable[[], None] | None = None

    def frame(self) -> list[bytes]:
        """Return its frame, in pieces."""
        return self._frame

    @property
    def left(self) -> bool:
        """Whether nobody waits for what is still to come."""
        return self.answer.done()

    @property
    def unread(self) -> int:
        """Bytes that came and wait for their reader."""
        return 0

    def part(self, payload: Payload) -> None:
        """Take one part of a stream. Nobody reads it here: the caller gets UnexpectedStream, the rest is cancelled."""
        self.fail(UnexpectedStream())

    def resolve(self, answer: Payload) -> None:
        """Answer the caller, unless it was cancelled."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Fail the caller, unless it was cancelled."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Errand(Call):
    """A request that is made when a worker takes it, and whose answer goes to a function, not to a future.

    So it costs no task and no turn of the event loop, and while it waits it holds nothing but what `make` holds. `make`
    may be called again when a worker hands the request back. `done` gets the answer or the error, once, and must not
    raise.
    """

    __slots__ = ("_done", "_make")

    def __init__(self, make: Callable[[], Payload], done: Callable[[Payload | Exception], None]) -> None:
        self._make = make
        self._done: Callable[[Payload | Exception], None] | None = done
        self.deadline = 0.0
        self.on_read = None

    def frame(self) -> list[bytes]:
        """Make it, and return its frame."""
        return frame_of(self._make())

    @property
    def left(self) -> bool:
        """Whether it is done."""
        return self._done is None

    def resolve(self, answer: Payload) -> None:
        """Hand the answer over."""
        self._settle(answer)

    def fail(self, error: Exception) -> None:
        """Hand the error over."""
        self._settle(error)

    def _settle(self, outcome: Payload | Exception) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(outcome)


class StreamCall(Call):
    """A request whose answer comes in parts, which are iterated as they come.

    `answer` is done when the first frame is there, or an error.
    """

    __slots__ = ("_arrived", "_error", "_left", "_over", "_parts", "_unread")
    streams = True

    def __init__(self, payload: Payload, answer: asyncio.Future[Payload]) -> None:
        super().__init__(payload, answer)
        self._parts: deque[Payload] = deque()
        self._unread = 0
        self._over = False
        self._left = False
        self._error: Exception | None = None
        self._arrived = asyncio.Event()

    @property
    def left(self) -> bool:
        """Whether its reader has left, or was cancelled before the first part."""
        return self._left or self.answer.cancelled()

    @property
    def unread(self) -> int:
        """Bytes of the parts that nobody has read yet."""
        return self._unread

    def part(self, payload: Payload) -> None:
        """Take one part."""
        self._parts.append(payload)
        self._unread += _PART + len(payload.context) + len(payload.body)
        self._arrived.set()
        super().resolve(payload)

    def resolve(self, answer: Payload) -> None:
        """Take the last frame; when others came before and it is empty, it is the end and no part."""
        self._over = True
        if answer.context or answer.body or not self.answer.done():
            self.part(answer)
        self._arrived.set()

    def fail(self, error: Exception) -> None:
        """Fail the reader: at once when nothing came yet, else behind what came."""
        self._over = True
        self._error = error
        self._arrived.set()
        super().fail(error)

    def leave(self) -> None:
        """Want no more parts."""
        self._left = True
        self._told()

    def __aiter__(self) -> AsyncIterator[Payload]:
        return self

    async def __anext__(self) -> Payload:
        """Return the next part; raises what ended the stream before its time."""
        await checkpoint_if_cancelled()  # parts may come faster than anyio finds a reader that waits
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        part = self._parts.popleft()
        self._unread -= _PART + len(part.context) + len(part.body)
        self._told()
        return part

    def _told(self) -> None:
        if self.on_read is not None:
            self.on_read()


def fault_of(frame: Frame) -> str:
    """Say what is wrong with an answer that is not an error (WIRE.md, 'Worker protocol', 3); empty when it is right."""
    if frame.flags & CONTROL:
        return "it answered a request with a CONTROL frame"
    if len(frame.options) != 1:
        return f"its answer has {len(frame.options)} options, expected 1"
    if frame.options[0] != len(frame.context):
        return f"its answer's context ends at byte {frame.options[0]} of {len(frame.payload)}"
    return ""
