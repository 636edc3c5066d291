"""What a worker's answer means for the client (docs/reference/events.md, 'The answer'). Pure."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from ..protocol import replies
from ..protocol.replies import custom
from .outcome import ACCEPTED, FAILED, Outcome

CLOSE: Final = Outcome((replies.ACCEPTED,), replies.CLOSED_BY_WORKER)

_WORDS: Final = {b"CONTINUE": ACCEPTED, b"CLOSE": CLOSE}
_KNOWN: Final = 'CONTINUE, CLOSE nor a reply {"code": 550, "message": "text"}'

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


def read_verdict(context: bytes, body: bytes = b"") -> Outcome:
    """Return the outcome that an answer means; its `reason` names what is wrong with an unknown answer.

    `context`: has the verdict. `body`: shown where the context is empty. An unknown answer fails safe: it is a
    temporary refusal, after which the sender keeps the message. Never raises.
    """
    if (word := _WORDS.get(context.strip())) is not None:
        return word
    answer = _decode(context)
    if answer is None:
        return _no_verdict(f"the answer is neither {_KNOWN}: {_shown(context, body)}")
    text = _DEFAULT_TEXTS.get(answer.code // 100)
    if text is None or not 250 <= answer.code <= 599:
        return _no_verdict(f"the code {answer.code} is not in 250 to 299 or 400 to 599")
    return Outcome((custom(answer.code, (answer.message or "").strip(), default=text),))


def _no_verdict(reason: str) -> Outcome:
    return FAILED._replace(reason=reason)


def _shown(context: bytes, body: bytes) -> str:
    """Return what the worker said, cut and escaped."""
    if context:
        return _quoted(context)
    return f"its context is empty, and its body is {_quoted(body)}" if body else "it is empty"


def _quoted(said: bytes) -> str:
    return repr(said[:_SHOWN].decode("utf-8", "replace"))
