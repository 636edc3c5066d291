"""What a worker's answer means for the client (docs/reference/events.md, 'The answer'). Pure."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from ..protocol import replies
from ..protocol.replies import Reply, custom
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


class _Reply(msgspec.Struct):
    code: int
    message: str | None = ""


class _Answer(msgspec.Struct):
    code: int | None = None
    message: str | None = ""
    replies: list[_Reply] | None = None


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


def read_verdict(context: bytes, body: bytes = b"", *, recipients: int = 1, lmtp: bool = False) -> Outcome:
    """Return the outcome that an answer means; its `reason` names what is wrong with an unknown answer.

    `context`: has the verdict. `body`: shown where the context is empty. `recipients`: their number. `lmtp`: the client
    reads a reply for each. An unknown answer fails safe: it is a temporary refusal, after which the sender keeps the
    message. Never raises.
    """
    if (word := _WORDS.get(context.strip())) is not None:
        return word
    answer = _decode(context)
    if answer is None or (answer.code is None and answer.replies is None):
        return _no_verdict(f"the answer is neither {_KNOWN}: {_shown(context, body)}")
    asked = [_Reply(answer.code, answer.message)] if answer.code is not None else answer.replies or []
    if answer.code is None and len(asked) != recipients:
        return _no_verdict(f"the answer has {len(asked)} replies for {recipients} recipients")
    found: list[Reply] = []
    for each in asked:
        text = _DEFAULT_TEXTS.get(each.code // 100)
        if text is None or not 250 <= each.code <= 599:
            return _no_verdict(f"the code {each.code} is not in 250 to 299 or 400 to 599")
        found.append(custom(each.code, (each.message or "").strip(), default=text))
    if lmtp or len({each.code for each in found}) == 1:
        return Outcome(tuple(found) if lmtp else (found[0],))
    return _no_verdict("a message has one reply in SMTP, and the answer has different ones; they need smtp.lmtp")


def _no_verdict(reason: str) -> Outcome:
    return FAILED._replace(reason=reason)


def _shown(context: bytes, body: bytes) -> str:
    """Return what the worker said, cut and escaped."""
    if context:
        return _quoted(context)
    return f"its context is empty, and its body is {_quoted(body)}" if body else "it is empty"


def _quoted(said: bytes) -> str:
    return repr(said[:_SHOWN].decode("utf-8", "replace"))
