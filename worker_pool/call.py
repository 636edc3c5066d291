"""Requests on their way to a worker. No I/O.

A worker reports to its `Call` what it receives: `part` for each frame of a stream, then `resolve` for the last frame,
or `fail`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import ClassVar, Final

from anyio.lowlevel import checkpoint_if_cancelled

from ..goridge.worker import request_pieces
from .errors import UnexpectedStream
from .protocols import Payload

MAX_UNREAD: Final = 1024 * 1024
"""Bytes of a stream that wait for their reader, above which the host does not read from the worker."""

_PART_OVERHEAD: Final = 256
"""Bytes that a part counts for beside its own: a million parts of one byte are not one megabyte."""


class Call:
    """A request with one answer.

    `answer`: the caller's future. `deadline`: of its wait for a worker, in loop time; 0 for one that has not waited.
    `streams`: whether it takes more than one part; then `on_read` is called after its reader has read a part, and
    after the reader has left. The worker sets it for as long as it has the request.
    Raises ValueError for a payload of more than 4 GiB.
    """

    __slots__ = ("_frame", "answer", "deadline", "on_read")
    streams: ClassVar[bool] = False

    def __init__(self, payload: Payload, answer: asyncio.Future[Payload]) -> None:
        self._frame = request_pieces(payload.context, payload.body)
        self.answer = answer
        self.deadline = 0.0
        self.on_read: Callable[[], None] | None = None

    def frame(self) -> list[bytes]:
        """Return its frame, in pieces."""
        return self._frame

    @property
    def abandoned(self) -> bool:
        """Whether its caller does not wait any more: it has the answer, or was cancelled."""
        return self.answer.done()

    @property
    def unread(self) -> int:
        """Bytes that were received and wait for their reader."""
        return 0

    def part(self, payload: Payload) -> None:
        """Take one part of a stream. Here the caller gets UnexpectedStream, and the rest of the stream is cancelled."""
        self.fail(UnexpectedStream())

    def resolve(self, answer: Payload) -> None:
        """Answer the caller, unless it was cancelled."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Fail the caller, unless it was cancelled."""
        if not self.answer.done():
            self.answer.set_exception(error)


class CallbackCall(Call):
    """A request that is made when a worker takes it, and whose answer goes to a function instead of a future.

    It costs no task and no turn of the event loop, and while it waits it holds only the functions. `make` may be called
    again when a worker hands the request back. `done` is called once, with the answer or the error, and must not raise.
    """

    __slots__ = ("_done", "_make")

    def __init__(self, make: Callable[[], Payload], done: Callable[[Payload | Exception], None]) -> None:
        self._make = make
        self._done: Callable[[Payload | Exception], None] | None = done
        self.deadline = 0.0
        self.on_read = None

    def frame(self) -> list[bytes]:
        """Make the request and return its frame. Raises what `make` raises."""
        payload = self._make()
        return request_pieces(payload.context, payload.body)

    @property
    def abandoned(self) -> bool:
        """Whether `done` has been called."""
        return self._done is None

    def resolve(self, answer: Payload) -> None:
        """Call `done` with the answer."""
        self._settle(answer)

    def fail(self, error: Exception) -> None:
        """Call `done` with the error."""
        self._settle(error)

    def _settle(self, outcome: Payload | Exception) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(outcome)


class StreamCall(Call):
    """A request whose answer comes in parts. Its reader iterates over it and gets them as they arrive.

    `answer` is done with the first frame, or with an error.
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
    def abandoned(self) -> bool:
        """Whether its reader has left, or was cancelled before the first part."""
        return self._left or self.answer.cancelled()

    @property
    def unread(self) -> int:
        """Bytes of the parts that wait for their reader; a part counts for 256 bytes more than it has."""
        return self._unread

    def part(self, payload: Payload) -> None:
        """Take one part."""
        self._parts.append(payload)
        self._unread += _PART_OVERHEAD + len(payload.context) + len(payload.body)
        self._arrived.set()
        super().resolve(payload)

    def resolve(self, answer: Payload) -> None:
        """Take the last frame. An empty one after other parts is the end, and not a part."""
        self._over = True
        if answer.context or answer.body or not self.answer.done():
            self.part(answer)
        self._arrived.set()

    def fail(self, error: Exception) -> None:
        """Fail the reader: at once before the first part, else after the parts that have arrived."""
        self._over = True
        self._error = error
        self._arrived.set()
        super().fail(error)

    def leave(self) -> None:
        """Called when the reader wants no more parts."""
        self._left = True
        self._report_reading()

    def __aiter__(self) -> AsyncIterator[Payload]:
        return self

    async def __anext__(self) -> Payload:
        """Return the next part. Raises the error that ended the stream early, after the parts before it."""
        await checkpoint_if_cancelled()  # parts may arrive faster than anyio finds a reader that waits
        while not self._parts:
            if self._error is not None:
                raise self._error
            if self._over:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        part = self._parts.popleft()
        self._unread -= _PART_OVERHEAD + len(part.context) + len(part.body)
        self._report_reading()
        return part

    def _report_reading(self) -> None:
        if self.on_read is not None:
            self.on_read()
