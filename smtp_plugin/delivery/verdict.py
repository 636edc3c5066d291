"""What a worker's answer means for the client (docs/reference/events.md, 'The answer'). Pure."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from ..protocol import replies
from ..protocol.replies import custom
from .outcome import ACCEPTED, FAILED, Outcome

CLOSE: Final = Outcome((replies.ACCEPTED,), replies.CLOSED_BY_WORKER)

_DEFAULT_TEXTS: Final = {2: replies.ACCEPTED.text, 4: replies.TEMPORARY_FAILURE.text, 5: "Message refused"}
"""The text of a reply for which the worker gave none, by the first digit of its code."""
_JSON_PREFIX: Final = b"\xef\xbb\xbf \t\r\n"
"""Bytes that may come before JSON: a byte order mark, blanks."""
_SHOWN: Final = 200
"""Bytes of an answer that a reason quotes."""


class _Answer(msgspec.Struct):
    code: int
    message: str | None = ""


def _decode(context: bytes) -> _Answer | None:
    """Return the reply that a worker gives, None where there is none. A lone surrogate in its text is accepted."""
    try:
        return msgspec.json.decode(context, type=_Answer, strict=False)
    except (ValueError, RecursionError):
        pass
    try:
        loose = json.loads(context.lstrip(_JSON_PREFIX).decode("utf-8", "replace"))
        return msgspec.convert(loose, _Answer, strict=False)
    except (ValueError, RecursionError):
        return None


def read_verdict(context: bytes) -> Outcome:
    """Return the outcome that the context of an answer means; its `reason` says what is odd about the answer.

    Never raises.
    """
    if context == b"CONTINUE":
        return ACCEPTED
    if context == b"CLOSE":
        return CLOSE
    answer = _decode(context)
    if answer is None:
        shown = context[:_SHOWN].decode("utf-8", "replace")
        if context.lstrip(_JSON_PREFIX)[:1] == b"{":  # it was to be a reply, perhaps a refusal
            return FAILED._replace(reason=f"the answer is not a reply that can be read: {shown!r}")
        return ACCEPTED._replace(reason=f"the answer is neither CONTINUE, CLOSE nor a reply: {shown!r}")
    text = _DEFAULT_TEXTS.get(answer.code // 100)
    if text is None or not 250 <= answer.code <= 599:
        return FAILED._replace(reason=f"the code {answer.code} is not in 250 to 299 or 400 to 599")
    return Outcome((custom(answer.code, (answer.message or "").strip(), default=text),))
