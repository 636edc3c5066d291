"""A request on its way to a worker, and the judgement of the frame that comes back. Pure, no I/O."""

from __future__ import annotations

import asyncio
from typing import Final

from ..goridge.frame import CONTROL, Frame, header
from .protocols import Payload

LEAVING: Final = b'{"stop":true}'
"""The context of an answer with an empty body by which a worker says that it leaves, and did not touch the request."""


class Call:
    """A request. `answer`: the caller's future. `deadline`: of its wait for a worker, in loop time.

    Raises ValueError for a payload of more than 4 GiB.
    """

    __slots__ = ("answer", "body", "context", "deadline", "head")

    def __init__(self, payload: Payload, answer: asyncio.Future[Payload]) -> None:
        self.context = payload.context
        self.body = payload.body
        split = len(payload.context)
        self.head = header(0, split + len(payload.body), (split,))
        self.answer = answer
        self.deadline = 0.0

    def resolve(self, answer: Payload) -> None:
        """Answer the caller, unless it was cancelled."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Fail the caller, unless it was cancelled."""
        if not self.answer.done():
            self.answer.set_exception(error)


def fault_of(frame: Frame) -> str:
    """Say what is wrong with an answer that is not an error (WIRE.md, 'Worker protocol', 3); empty when it is right."""
    if frame.stream:
        return "it answered with a stream, which is not supported yet"
    if frame.flags & CONTROL:
        return "it answered a request with a CONTROL frame"
    if len(frame.options) != 1:
        return f"its answer has {len(frame.options)} options, expected 1"
    if frame.options[0] > len(frame.payload):
        return f"its answer's context ends at byte {frame.options[0]} of {len(frame.payload)}"
    return ""
