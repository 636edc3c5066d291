"""What a worker's answer means for its job. Pure.

The answer is the body: `{"type": N, "data": {...}}`, as RoadRunner's job workers send it. PHP sends `"data": []` for
an empty one. Without a body the context is a verdict about mail, as a worker of the SMTP server gives it: a reply of
4xx is a failed attempt, one of 5xx a dead job, anything else is done.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from .job import MAX_DELAY, Headers

ATTEMPT: Final = "attempt"
"""The header in which a worker gets the number of the attempt."""
_SHOWN: Final = 200
"""Bytes of an answer that a reason quotes."""
_LONGEST_REASON: Final = 1000


class Meaning(enum.Enum):
    """What an answer asks for. FAILED counts as an attempt, AGAIN asks for one more whatever the limit."""

    DONE = "done"
    FAILED = "failed"
    AGAIN = "again"
    DEAD = "dead"


class Answer(NamedTuple):
    """An answer.

    `delay`: seconds before the next attempt, None to leave it to the pipeline. `headers`: None to keep the job's.
    `reason`: one line.
    """

    meaning: Meaning
    reason: str = ""
    delay: float | None = None
    headers: Headers | None = None


DONE: Final = Answer(Meaning.DONE)


_BY_CLASS: Final = {4: Meaning.FAILED, 5: Meaning.DEAD}
_SEVERITY: Final = {4: 2, 5: 1}
"""A mail with one reply of 4xx is tried again, whatever the others are."""


class _Answer(msgspec.Struct):
    type: int
    data: Any = None


class _Data(msgspec.Struct):
    message: str | None = ""
    requeue: bool | None = None
    redelivery: bool | None = None
    delay_seconds: float | None = None
    headers: Mapping[str, Sequence[str] | str] | Sequence[Any] | None = None


class _Reply(msgspec.Struct):
    code: int
    message: str | None = ""


class _Verdict(msgspec.Struct):
    code: int | None = None
    message: str | None = ""
    replies: list[_Reply] = []


def read_answer(context: bytes, body: bytes) -> Answer:
    """Return what an answer means. One that cannot be read is a failed attempt, with the reason. Never raises."""
    if not body:
        return _read_verdict(context)
    try:
        answer = msgspec.json.decode(body, type=_Answer, strict=False)
        if answer.type in (0, 2):
            return DONE
        data = msgspec.convert(answer.data or {}, _Data, strict=False)
    except (ValueError, RecursionError):
        return _unreadable(body)
    reason = one_line(data.message or "the worker gave no reason")
    delay = min(max(0.0, data.delay_seconds or 0.0), MAX_DELAY)
    if answer.type == 4:
        return Answer(Meaning.AGAIN, reason, delay, _headers(data))
    if answer.type not in (1, 3):
        return _unreadable(body)
    if data.requeue or data.redelivery:
        return Answer(Meaning.FAILED, reason, delay, _headers(data) if answer.type == 1 else None)
    return Answer(Meaning.DEAD, reason)


def _read_verdict(context: bytes) -> Answer:
    """Return what a verdict about mail means. Of several replies the worst one counts, so that no mail is lost."""
    if not context.startswith(b"{"):
        return DONE
    try:
        verdict = msgspec.json.decode(context, type=_Verdict, strict=False)
    except (ValueError, RecursionError):
        return DONE  # a context that is not a verdict, which a job worker may send
    replies = verdict.replies if verdict.code is None else [_Reply(verdict.code, verdict.message)]
    worst = max(replies, key=lambda reply: _SEVERITY.get(reply.code // 100, 0), default=_Reply(250))
    meaning = _BY_CLASS.get(worst.code // 100, Meaning.DONE)
    if meaning is Meaning.DONE:
        return DONE
    return Answer(meaning, one_line(f"{worst.code} {worst.message or ''}"))


def one_line(text: str) -> str:
    """Return a reason as one line of bounded length."""
    return " ".join(text.split())[:_LONGEST_REASON]


def _headers(data: _Data) -> Headers | None:
    """Return the headers of an answer, None where it has none. The host's own `attempt` is not among them."""
    if not isinstance(data.headers, Mapping):
        return None
    return {
        name: [texts] if isinstance(texts, str) else list(texts)
        for name, texts in data.headers.items()
        if name != ATTEMPT
    }


def _unreadable(body: bytes) -> Answer:
    shown = repr(body[:_SHOWN].decode("utf-8", "replace"))
    return Answer(Meaning.FAILED, f"the answer of the worker is not an answer to a job: {shown}")
