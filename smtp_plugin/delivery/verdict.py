"""What a worker's answer means for the client (EVENTS.md, 'The worker's answer'). Pure."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

import msgspec

from ..protocol import replies
from ..protocol.replies import Reply, custom

_SHOWN: Final = 200


class Verdict(NamedTuple):
    """What becomes of a message.

    `reply`: to the client. `close`: a last reply behind it, and the end of the session; None to go on. `warning`: what
    was odd about the worker's answer, for the log; empty when it was fine.
    """

    reply: Reply
    close: Reply | None = None
    warning: str = ""


CONTINUE: Final = Verdict(replies.ACCEPTED)
CLOSE: Final = Verdict(replies.ACCEPTED, replies.CLOSED_BY_WORKER)
FAILED: Final = Verdict(replies.TEMPORARY_FAILURE)

_TEXTS: Final = {2: replies.ACCEPTED.text, 4: replies.TEMPORARY_FAILURE.text, 5: "Message refused"}
"""What a reply says for which the worker gave no text, by the first digit of its code."""


_IN_FRONT: Final = b"\xef\xbb\xbf \t\r\n"
"""What may stand in front of JSON: a byte order mark, blanks."""


class _Answer(msgspec.Struct):
    code: int
    message: str | None = ""


def _read(context: bytes) -> _Answer | None:
    """Return the reply that a worker gives; None for what is none. Half of an emoji in its text is no reason."""
    try:
        return msgspec.json.decode(context, type=_Answer, strict=False)
    except (ValueError, RecursionError):
        pass
    try:
        loose = json.loads(context.lstrip(_IN_FRONT).decode("utf-8", "replace"))
        return msgspec.convert(loose, _Answer, strict=False)
    except (ValueError, RecursionError):
        return None


def read_verdict(context: bytes) -> Verdict:
    """Return what the context of an answer means; never raises."""
    if context == b"CONTINUE":
        return CONTINUE
    if context == b"CLOSE":
        return CLOSE
    answer = _read(context)
    if answer is None:
        shown = context[:_SHOWN].decode("utf-8", "replace")
        if context.lstrip(_IN_FRONT)[:1] == b"{":  # it was to be a reply, and who knows that it was not a refusal
            return Verdict(replies.TEMPORARY_FAILURE, None, f"the answer is no reply that can be read: {shown!r}")
        return Verdict(replies.ACCEPTED, None, f"the answer is neither CONTINUE, CLOSE nor a reply: {shown!r}")
    text = _TEXTS.get(answer.code // 100)
    if text is None or not 250 <= answer.code <= 599:
        return Verdict(replies.TEMPORARY_FAILURE, None, f"the code {answer.code} is none of 250 to 299 and 400 to 599")
    return Verdict(custom(answer.code, (answer.message or "").strip(), default=text))
