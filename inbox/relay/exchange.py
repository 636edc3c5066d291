"""What goes to the relay, and what comes back: a reply or an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Reply(NamedTuple):
    """The relay's reply to the message."""

    code: int
    text: str


class RelayError(Exception):
    """The message is not released. The text is one sentence.

    `status`: HTTP's; `code`, `reply`: of the relay, 0 and empty for none.
    """

    def __init__(self, status: int, reason: str, code: int = 0, reply: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reply = reply


class Outgoing(NamedTuple):
    """A message for the relay. `utf8`: it needs SMTPUTF8 (RFC 6531)."""

    sender: str
    to: Sequence[str]
    content: bytes
    utf8: bool
