"""A refusal as the dialog reports it: the command, the reply, and the transaction at that moment. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from .sasl import MECHANISMS

MAX_COMMAND_SHOWN: Final = 512
"""Bytes of a refused command that a report shows."""
MAX_RECIPIENTS_SHOWN: Final = 10
"""Recipients of a transaction that a report shows."""


class Refusal(NamedTuple):
    """A refused command or message, or a session that the server ends.

    `command`: the last command, credentials masked, controls unescaped; '' before the first. `code`, `reply`: sent to
    the client, an enhanced code included; 0 and '' where the server could send none. `setting`: as `Reply.setting` has
    it. `reason`: why, where the reply does not say it. `last`: the session ends. `sender`, `recipients`: of the
    transaction, the first `MAX_RECIPIENTS_SHOWN`; `recipient_count`: of all.
    """

    command: str = ""
    code: int = 0
    reply: str = ""
    setting: str = ""
    reason: str = ""
    last: bool = False
    sender: str = ""
    recipients: Sequence[str] = ()
    recipient_count: int = 0


Report = Callable[[Refusal], None]
"""Takes each refusal of a session."""


def masked(line: bytes) -> str:
    """Return a command line without credentials, however the client writes AUTH. Its control characters stay."""
    words = line.split(None, 2)
    if words and words[0][:4].upper() == b"AUTH":
        named = len(words) > 1 and words[0].upper() == b"AUTH" and words[1].decode("latin-1").upper() in MECHANISMS
        if not named and line.upper() != b"AUTH":
            line = b"AUTH ***"
        elif len(words) > 2:
            line = b" ".join([*words[:2], b"***"])
    return line.decode("utf-8", "backslashreplace")
