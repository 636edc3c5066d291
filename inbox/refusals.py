"""The refusals of mail servers: the newest ones, in memory, within a bound of their own. So they push out no mail.

They are not messages: no list, count or `wait` of messages has them. One may stand in several mailboxes, as its message
would. To delete the refusals of a mailbox takes it out of that one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence, Set
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple

import msgspec

from ..mime.mailboxes import DEFAULT
from .protocols import IncomingMail, IncomingRefusal
from .records import SCHEMAS

MAX_REFUSALS: Final = 200
"""Refusals that are kept at most."""
MAX_BYTES: Final = 256 * 1024
"""Bytes that they take at most."""
REFUSAL: Final = 200
"""Bytes that a refusal takes without its JSON."""
MAX_RECIPIENTS: Final = 10
"""Recipients of a refused message that its entry names."""

_DEFAULT: Final = frozenset((DEFAULT,))


def room_of_refusals(room: int) -> int:
    """Return the bytes that the refusals may take of `room`, the bytes for the feed and for them."""
    return min(MAX_BYTES, room // 4)


class Refusal(msgspec.Struct, frozen=True, tag_field="kind", tag="refusal"):
    """A refused command or message, or a session that the server ended.

    `number`: counts from 1 at each start of the host. `from`, `to`: of the transaction under way, its first recipients;
    `recipients`: their number. `command`: the last one, without secrets. `code`, `reply`: to the client; 0 and empty
    where it got none. `setting`: the setting that decided, and its value; else empty. `reason`: why, where the reply
    does not say it. `ended`: the server ended the session. `left_out`: refusals of this connection before it that are
    not shown. `message`: the id of a message that a worker refused, which the inbox has; else empty.
    """

    number: int
    at: str
    uuid: str
    remote_addr: str
    helo: str
    sender: str = msgspec.field(name="from")
    to: Sequence[str]
    recipients: int
    command: str
    code: int
    reply: str
    setting: str = ""
    reason: str = ""
    ended: bool = False
    left_out: int = 0
    message: str = ""


class RefusalList(msgspec.Struct, frozen=True):
    """The refusals, newest first."""

    refusals: Sequence[Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"$ref": f"{SCHEMAS}Refusal"})]]
    total: int


class _Entry(NamedTuple):
    json: bytes
    mailboxes: Set[str]

    def fits(self, mailbox: str | None) -> bool:
        return mailbox is None or mailbox in self.mailboxes


class Refusals:
    """The newest refusals, as JSON. `most`, `max_bytes`: their bounds."""

    def __init__(self, most: int = MAX_REFUSALS, max_bytes: int = MAX_BYTES) -> None:
        self._most = most
        self._max_bytes = max_bytes
        self._entries: deque[_Entry] = deque()
        self._number = 0
        self.bytes = 0

    def add(self, refusal: IncomingRefusal, mailboxes: Set[str] = _DEFAULT) -> bytes:
        """Keep a refusal in these mailboxes, and return its JSON."""
        return self._keep(
            Refusal(
                number=self._next(),
                at=refusal.at,
                uuid=refusal.uuid,
                remote_addr=refusal.remote_addr,
                helo=refusal.helo,
                sender=refusal.sender,
                to=refusal.to,
                recipients=refusal.recipients,
                command=refusal.command,
                code=refusal.code,
                reply=refusal.reply,
                setting=refusal.setting,
                reason=refusal.reason,
                ended=refusal.ended,
                left_out=refusal.left_out,
            ),
            mailboxes,
        )

    def add_message(self, mail: IncomingMail, mailboxes: Set[str] = _DEFAULT) -> bytes:
        """Keep the refusal of a whole message, which the inbox has in these mailboxes, and return its JSON."""
        return self._keep(
            Refusal(
                number=self._next(),
                at=datetime.fromtimestamp(mail.at, UTC).isoformat(timespec="microseconds"),
                uuid=mail.uuid,
                remote_addr=mail.remote_addr,
                helo=mail.helo,
                sender=mail.sender,
                to=mail.to[:MAX_RECIPIENTS],
                recipients=len(mail.to),
                command="",
                code=mail.code,
                reply=mail.reply,
                reason=mail.reason,
                message=mail.id,
            ),
            mailboxes,
        )

    def newest_first(self, mailbox: str | None = None) -> RefusalList:
        """Return those of a mailbox, all of them for None."""
        found = [msgspec.Raw(entry.json) for entry in reversed(self._entries) if entry.fits(mailbox)]
        return RefusalList(found, len(found))

    def clear(self, mailbox: str | None = None) -> int:
        """Drop those of a mailbox, all of them for None, and return their number. Other mailboxes keep theirs."""
        kept = deque[_Entry]()
        count = 0
        for entry in self._entries:
            others = frozenset() if mailbox is None else entry.mailboxes - {mailbox}
            count += entry.fits(mailbox)
            if others:
                kept.append(_Entry(entry.json, others))
            else:
                self.bytes -= REFUSAL + len(entry.json)
        self._entries = kept
        return count

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _keep(self, refusal: Refusal, mailboxes: Set[str]) -> bytes:
        entry = msgspec.json.encode(refusal)
        self._entries.append(_Entry(entry, mailboxes))
        self.bytes += REFUSAL + len(entry)
        while self._entries and (len(self._entries) > self._most or self.bytes > self._max_bytes):
            self.bytes -= REFUSAL + len(self._entries.popleft().json)
        return entry
