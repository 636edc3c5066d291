"""A handler's decision about a message. Each verdict is a Response, so any handler may return one.

    Accept()                       250, with the host's text
    Accept("queued as 17")         250 with this text
    Reject(550, "no such user")    the refusal: 400 to 499 try again later, 500 to 599 never
    Close()                        250, and then the host closes the connection
    Retry("30 seconds later", 30)  451; with `deliver: jobs` the host tries again after the delay
    PerRecipient([Accept(), ...])  in LMTP: one of Accept and Reject for each recipient, in order

A test compares an answer with a verdict: `assert ask(handle, event) == Reject(550, "no such user")`.
"""

from __future__ import annotations

from json import dumps, loads

from .messages import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class Verdict(Response):
    """A decision about a message: an Accept, a Reject, a Close or a PerRecipient."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy does not call the class, whose parameters are not the Response's parts.
        return self._make, (tuple(self),)


class Accept(Verdict):
    """A verdict that accepts the message. `text`: for the client, empty for the host's own text. `code`: 250 to 299.

    Raises ValueError for any other code.
    """

    __slots__ = ()

    def __new__(cls, text: str = "", code: int = 250) -> Accept:  # noqa: D102 - see the class
        if not text and code == 250:
            return super().__new__(cls, b"CONTINUE")
        return super().__new__(cls, _reply(code, text, 250, 299))


class Reject(Verdict):
    """A verdict that refuses the message. `code`: 400 to 499 for now, 500 to 599 for ever. `text`: for the client.

    Raises ValueError for any other code.
    """

    __slots__ = ()

    def __new__(cls, code: int, text: str) -> Reject:  # noqa: D102 - see the class
        return super().__new__(cls, _reply(code, text, 400, 599))


class Close(Verdict):
    """A verdict that accepts the message and then closes the connection."""

    __slots__ = ()

    def __new__(cls) -> Close:  # noqa: D102 - see the class
        return super().__new__(cls, b"CLOSE")


class Retry(Verdict):
    """A verdict that refuses the message for now, with 451. With `deliver: jobs` the host gives it to a worker again.

    `text`: the reason. `delay`: seconds before it, None for the pipeline's own (`retry.backoff`).
    """

    __slots__ = ()

    def __new__(cls, text: str = "try again later", delay: float | None = None) -> Retry:  # noqa: D102 - see the class
        context = _reply(451, text, 400, 499)
        if delay is None:
            return super().__new__(cls, context)
        answer = {"message": text, "redelivery": True, "delay_seconds": max(0.0, float(delay))}
        return super().__new__(cls, context, dumps({"type": 3, "data": answer}).encode())


class PerRecipient(Verdict):
    """A verdict for each recipient of a message, in the order of `envelope.recipients`. For `smtp.lmtp: true`.

    In SMTP a message has one reply: there they must have one code, or the message is refused for now. Raises ValueError
    for an empty list, TypeError for anything else than Accept and Reject.
    """

    __slots__ = ()

    def __new__(cls, verdicts: Iterable[Accept | Reject]) -> PerRecipient:  # noqa: D102 - see the class
        replies = []
        for verdict in verdicts:
            if not isinstance(verdict, (Accept, Reject)):
                raise TypeError(f"a verdict of a recipient is Accept(...) or Reject(...), not {verdict!r}")
            replies.append({"code": 250} if verdict.context == b"CONTINUE" else loads(verdict.context))
        if not replies:
            raise ValueError("there is a verdict for each recipient, and a message has at least one")
        return super().__new__(cls, dumps({"replies": replies}).encode())


def _reply(code: int, text: str, least: int, most: int) -> bytes:
    """Return the answer that asks for this reply. Unprintable characters become blanks, so the text is one line."""
    if not isinstance(text, str):
        raise TypeError(f"the text is a str, not {type(text).__name__}")
    if not least <= code <= most:
        raise ValueError(f"the code is {least} to {most}, not {code!r}")
    return dumps({"code": code, "message": "".join(char if char.isprintable() else " " for char in text)}).encode()
