"""What the inbox keeps of a message, and what its API says of it: one Struct for each JSON object."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from ..mime.message import Message
from .html import unescape
from .protocols import IncomingMail

EXCERPT: Final = 160
"""Characters of the text that a list shows."""
MAX_HTML: Final = 64 * 1024
"""Characters of a message's HTML that an excerpt is taken from."""
MAX_WORDS: Final = 256 * 1024
"""Characters of a message that a search looks at."""

# What is not closed goes on to the end, so that the time is in proportion to the length.
_MARKUP = re.compile(
    r"<(style|script|title)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<[^>]*(?:>|\Z)", re.DOTALL | re.IGNORECASE
)


class Summary(msgspec.Struct, frozen=True):
    """A message in a list.

    `from`, `to`: of the envelope, `""` for the null sender. `header_from`: as the message says it, decoded. `size`:
    bytes as received. `attachments`: how many. `code`: what its client was told, 250 where it was accepted. `number`:
    its place in the order of arrival; it grows and is never given twice.
    """

    id: str
    received_at: str
    sender: str = msgspec.field(name="from")
    to: Sequence[str]
    header_from: str
    subject: str
    excerpt: str
    size: int
    attachments: int
    html: bool
    code: int
    number: int = 0


class Credentials(msgspec.Struct, frozen=True):
    """What the client said in AUTH; nothing checked it."""

    mechanism: str
    username: str
    password: str


class Session(msgspec.Struct, frozen=True):
    """The connection that the message came on.

    `uuid`: of the connection. `authentication`: null without AUTH. `reply`: the text behind the code. `reason`: why,
    where no worker decided it; else empty. `transcript`: `C: ` and `S: ` in front of who said it, without secrets.
    """

    uuid: str
    remote_addr: str
    helo: str
    authentication: Credentials | None
    reply: str
    reason: str
    transcript: Sequence[str]


class AttachmentInfo(msgspec.Struct, frozen=True):
    """An attachment. `number`: from 1, in its URL. `size`: decoded bytes. `inline`: meant to be shown in the text."""

    number: int
    filename: str
    content_type: str
    size: int
    content_id: str
    inline: bool


class Detail(msgspec.Struct, frozen=True):
    """A whole message.

    `headers`: every name as first written, and its decoded values in order. `text`, `html`: empty where the message has
    none. `defects`: what was wrong with it, as tokens of the page on events.
    """

    summary: Summary
    headers: dict[str, Sequence[str]]
    text: str
    html: str
    attachments: Sequence[AttachmentInfo]
    defects: Sequence[str]
    session: Session


class Record(NamedTuple):
    """What is kept of a message. `words`: what a search looks at. `contents`: the raw message, then each attachment."""

    summary: Summary
    detail: Detail
    words: str
    contents: Sequence[bytes]

    def numbered(self, number: int) -> Record:
        """Return it with its place in the order."""
        summary = msgspec.structs.replace(self.summary, number=number)
        return self._replace(summary=summary, detail=msgspec.structs.replace(self.detail, summary=summary))

    @property
    def bytes(self) -> int:
        """What the message counts for against `max_bytes`: its bytes, its attachments, its headers and its texts."""
        headers = sum(len(value) for values in self.detail.headers.values() for value in values)
        texts = len(self.detail.text) + len(self.detail.html) + len(self.words)
        return headers + texts + sum(len(content) for content in self.contents)


def record(mail: IncomingMail) -> Record:
    """Return what to keep of a mail. Parses it: a large one takes long enough to belong into a thread."""
    message = mail.message
    attachments = [
        AttachmentInfo(number, each.filename, each.content_type, each.size, each.content_id, each.inline)
        for number, each in enumerate(message.attachments, 1)
    ]
    summary = Summary(
        id=mail.id,
        received_at=datetime.fromtimestamp(mail.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        sender=mail.sender,
        to=mail.to,
        header_from=header(message, "from"),
        subject=message.subject,
        excerpt=_excerpt(message),
        size=len(mail.content),
        attachments=len(attachments),
        html=bool(message.html_body),
        code=mail.code,
    )
    detail = Detail(
        summary=summary,
        headers={name: list(values) for name, values in message.headers.items()},
        text=message.body,
        html=message.html_body,
        attachments=attachments,
        defects=list(message.defects),
        session=Session(
            uuid=mail.uuid,
            remote_addr=mail.remote_addr,
            helo=mail.helo,
            authentication=Credentials(*mail.authentication) if mail.authentication else None,
            reply=mail.reply,
            reason=mail.reason,
            transcript=list(mail.transcript),
        ),
    )
    contents = [mail.content, *(each.content() for each in message.attachments)]
    return Record(summary, detail, _words(mail, message), contents)


def _excerpt(message: Message) -> str:
    """Return how the text begins, or what the HTML says where there is no text."""
    text = message.body[: EXCERPT * 4]
    if not text.strip():
        text = unescape(_MARKUP.sub(" ", message.html_body[:MAX_HTML]))
    return " ".join(text.split())[:EXCERPT]


def header(message: Message, name: str) -> str:
    """Return the first value of a header whatever its case, empty for none."""
    return next((values[0] for found, values in message.headers.items() if found.lower() == name), "")


def fold(text: str) -> str:
    """Return a text as a search compares it: without case, accents and forms of a character's width."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


def _words(mail: IncomingMail, message: Message) -> str:
    return fold(_first(MAX_WORDS, _searched(mail, message)))


def _searched(mail: IncomingMail, message: Message) -> Iterator[str]:
    yield message.subject
    yield mail.sender
    yield from mail.to
    for name in ("from", "to", "cc", "reply-to"):
        yield header(message, name)
    yield from (each.filename for each in message.attachments)
    yield message.body
    yield message.html_body


def _first(limit: int, texts: Iterable[str]) -> str:
    """Return the texts, each on a line, up to `limit` characters in all."""
    kept: list[str] = []
    for text in texts:
        if limit <= 0:
            break
        kept.append(text[:limit])
        limit -= len(text)
    return "\n".join(kept)
