"""The API's JSON objects that are not the store's: answers, and the bodies of requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from ...mime.check.findings import Finding
from ...mime.extract.codes import Candidate
from ...mime.extract.links import Link
from ..records import SCHEMAS
from ..store.results import MailboxInfo

TEXT: Final[dict[str, Any]] = {"type": "string"}
FLAG: Final[dict[str, Any]] = {"type": "boolean"}
CONNECTION: Final[dict[str, Any]] = {
    "title": "Connection",
    "description": "An open connection. `from`, `to`: of the message that it sends now, empty without one.",
    "type": "object",
    "properties": {
        "uuid": TEXT,
        "remote_addr": TEXT,
        "from": TEXT,
        "to": {"type": "array", "items": TEXT},
        "authenticated": FLAG,
        "username": TEXT,
    },
    "required": ["uuid", "remote_addr", "from", "to", "authenticated", "username"],
}
"""The JSON of a connection, as the mail servers give it."""


class ConnectionList(msgspec.Struct, frozen=True):
    """The open connections, oldest first."""

    connections: Sequence[Annotated[Any, msgspec.Meta(extra_json_schema={"$ref": f"{SCHEMAS}Connection"})]]


class MailboxList(msgspec.Struct, frozen=True):
    """The mailboxes that the request may see."""

    mailboxes: Sequence[MailboxInfo]


class Cleared(msgspec.Struct, frozen=True):
    """The number of messages, or of refusals, that were deleted."""

    deleted: int


class Posted(msgspec.Struct, frozen=True):
    """A message that a client has put in. In further mailboxes, by `inbox.mailbox_by`, it has other ids."""

    id: str


class LinkList(msgspec.Struct, frozen=True):
    """The links of a message. `kind`: `link`, `unsubscribe` or `pixel`. `source`: `html`, `text` or `header`."""

    links: Sequence[Link]


class CodeFound(msgspec.Struct, frozen=True):
    """The code of a message, empty for none. `candidates`: what may be one, the best first."""

    code: str
    candidates: Sequence[Candidate]


class AwaitedList(msgspec.Struct, frozen=True):
    """The messages of a wait with `count`: Summary objects, in the order that the wait has."""

    messages: Sequence[Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"$ref": f"{SCHEMAS}Summary"})]]


class Marked(msgspec.Struct, frozen=True):
    """The number of messages whose mark has changed."""

    changed: int


class ReleaseTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The addresses that a message goes to: all, or none."""

    to: list[str]


class Checked(msgspec.Struct, frozen=True):
    """What is wrong with a message, the most severe first (docs/reference/check.md); the number of each severity."""

    findings: Sequence[Finding]
    errors: int
    warnings: int
    hints: int


class RelayInfo(msgspec.Struct, frozen=True):
    """The relay. `address`: host and port; `allow`: the patterns of the addresses that it may send to."""

    address: str
    allow: Sequence[str]


class Info(msgspec.Struct, frozen=True):
    """The host and the limits of its inbox.

    `smtp_address`: for mail, as a URL; empty while no server listens. `max_messages`, `max_bytes`: 0 for no limit.
    `max_age`: seconds that a message is kept, 0 for ever.
    `connections`: whether the host has a mail server. `open`: whether other machines reach the inbox without a login.
    `remote_images`: whether a reader may load those of a message. `agents_write`: `inbox.mcp.write`.
    `mailbox_by`: what names the mailbox of a mail; `max_messages` is for each. `mailbox`: the only one of the request's
    token, empty for all.
    `relay`: null where no message can be released.
    """

    version: str
    smtp_address: str
    max_messages: int
    max_bytes: int
    max_age: float
    persistent: bool
    connections: bool
    open: bool
    remote_images: bool
    agents_write: bool = False
    relay: RelayInfo | None = None
    mailbox_by: str = "none"
    max_mailboxes: int = 0
    mailbox: str = ""
