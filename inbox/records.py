"""The data of a message: the record that the inbox keeps, and the Structs that are the API's JSON objects."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Final, NamedTuple

import msgspec

from ..mime.addresses import Address
from ..mime.html_text import unescape
from ..mime.mailboxes import DEFAULT, MailboxBy
from ..mime.message import Attachment, Message, parse
from .protocols import IncomingMail

EXCERPT: Final = 160
"""Characters of the text that the list shows."""
MAX_HEADER: Final = 1000
"""Characters of a subject, and of a From header, that the list shows."""
MAX_HTML: Final = 64 * 1024
"""Characters of a message's HTML that its excerpt comes from."""
MAX_WORDS: Final = 256 * 1024
"""Characters of a message that a search reads."""
SCHEMAS: Final = "#/components/schemas/"
"""The place of a Struct's schema in the OpenAPI document."""

NO_RELEASES: Final = msgspec.Raw(b"[]")

_PIECE: Final = 64  # characters of one call of `normalize`

# A tag or comment without its end reaches to the end of the text: so the time is proportional to the length.
_MARKUP = re.compile(
    r"<(style|script|title)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<[^>]*(?:>|\Z)", re.DOTALL | re.IGNORECASE
)
_INLINE = re.compile(
    r"</?(?:a|abbr|b|big|code|em|font|i|ins|kbd|mark|s|small|span|strong|sub|sup|tt|u|wbr)(?:\s[^<>]*)?>", re.IGNORECASE
)


class Summary(msgspec.Struct, frozen=True):
    """A message in a list.

    `from`, `to`: of the envelope, `""` for the null sender. `header_from`, `subject`: decoded, their first 1000
    characters; `headers` of the whole message has all. `size`: bytes as received. `attachments`: their number, without
    those that the HTML shows. `code`: of the reply to its client, 250 for an accepted message. `number`: its position
    in the order of arrival; each is given once. `from_name`: the name, or else the address, of the header From, from
    its raw bytes. `defects`: their number; 0 for a message that an older rrpy has stored. `mailbox`: the one that it
    stands in. `read`: marked as read.
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
    from_name: str = ""
    defects: int = 0
    mailbox: str = DEFAULT
    read: bool = False  # the last one: `marks` writes it


class MessageList(msgspec.Struct, frozen=True):
    """A part of the list, newest first.

    `messages`: Summary objects. `next`: the value of `before` for the part after this one, null after the last.
    `total`, `unread`, `bytes`: of the mailbox that was asked for, else of the whole inbox; bytes as `inbox.max_bytes`
    counts them. `hits`: the texts that the search looks for, in lower case and without accents.
    """

    messages: list[Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"$ref": f"{SCHEMAS}Summary"})]]
    next: int | None
    total: int
    bytes: int
    unread: int = 0
    hits: Sequence[str] = ()


class CredentialsInfo(msgspec.Struct, frozen=True):
    """What the client sent in AUTH, unchecked."""

    mechanism: str
    username: str
    password: str


class TLSInfo(msgspec.Struct, frozen=True):
    """The TLS of the connection. `subject`: of the client's certificate, null where it showed none."""

    version: str
    cipher: str
    subject: str | None = None


class RecipientInfo(msgspec.Struct, frozen=True):
    """A recipient of the envelope. `parameters`: of its RCPT; true for one without a value."""

    address: str
    parameters: Mapping[str, str | bool]


class SessionInfo(msgspec.Struct, frozen=True):
    """The SMTP session of a message.

    `uuid`: of the connection. `authentication`: null without AUTH. `reply`: the text after the code. `reason`: of a
    reply that no worker gave, else empty. `transcript`: a line of the client begins with `C: `, one of the server with
    `S: `; secrets are masked. `tls`: null in clear. `parameters`: of MAIL; true for one without a value.
    """

    uuid: str
    remote_addr: str
    helo: str
    authentication: CredentialsInfo | None
    reply: str
    reason: str
    transcript: Sequence[str]
    tls: TLSInfo | None = None
    parameters: Mapping[str, str | bool] = {}
    recipients: Sequence[RecipientInfo] = ()


class AttachmentInfo(msgspec.Struct, frozen=True):
    """An attachment. `number`: in its URL, from 1. `size`: decoded bytes. `inline`: the text or the HTML shows it.

    `disposition`: as declared, lower case. `parameters`: of its type. `related`: the HTML shows it. `sha256`: of the
    content, in hexadecimal.
    """

    number: int
    filename: str
    content_type: str
    size: int
    content_id: str
    inline: bool
    disposition: str = ""
    description: str = ""
    parameters: Mapping[str, str] = {}
    related: bool = False
    sha256: str = ""
    content_location: str = ""


class Release(msgspec.Struct, frozen=True):
    """One try to send a message to real addresses.

    `at`: RFC 3339. `from`: the sender of the envelope. `relay`: its host and port. `accepted`: by the relay, for all
    addresses; else no address got the message. `code`, `reply`: the relay's last reply; 0 and empty for none. `reason`:
    why it was not accepted, one sentence.
    """

    at: str
    sender: str = msgspec.field(name="from")
    to: Sequence[str]
    relay: str
    accepted: bool
    code: int
    reply: str
    reason: str = ""


class Detail(msgspec.Struct, frozen=True):
    """A whole message.

    `summary`: a Summary object. `headers`: each name as first written, with its decoded values in order. `text`,
    `html`: empty where the message has none. `defects`: tokens of docs/reference/events.md. `from` to `references`:
    parsed from the raw headers. `date`: as RFC 3339 has it, null for none. `text_from_html`: the words of the HTML
    of a message without text. `session`: a SessionInfo object; one that an older rrpy has stored may lack newer fields.
    `releases`: Release objects, the last ones, oldest first.
    """

    summary: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"$ref": f"{SCHEMAS}Summary"})]
    headers: dict[str, Sequence[str]]
    text: str
    html: str
    attachments: Sequence[AttachmentInfo]
    defects: Sequence[str]
    session: Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"$ref": f"{SCHEMAS}SessionInfo"})]
    from_: Sequence[Address] = msgspec.field(name="from")
    sender: Sequence[Address]
    reply_to: Sequence[Address]
    to: Sequence[Address]
    cc: Sequence[Address]
    bcc: Sequence[Address]
    date: str | None
    in_reply_to: Sequence[str]
    references: Sequence[str]
    text_from_html: str
    releases: Annotated[
        msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "array", "items": {"$ref": f"{SCHEMAS}Release"}})
    ]


class Record(NamedTuple):
    """The data that is kept of a message. `session`: as JSON; `words`: for a search; `content`: as it arrived."""

    summary: Summary
    session: bytes
    words: str
    content: bytes


class Stored(NamedTuple):
    """A message from the store. `summary`, `session`, `releases`: as JSON; `content`: as it arrived."""

    summary: bytes
    session: bytes
    content: bytes
    releases: bytes = bytes(NO_RELEASES)

    def listed(self) -> Summary:
        """Return the summary."""
        return msgspec.json.decode(self.summary, type=Summary)

    def detail(self) -> bytes:
        """Return the whole message as JSON. Parses it: call it in a thread, a large one takes long."""
        message = parse(self.content)
        return msgspec.json.encode(
            Detail(
                summary=msgspec.Raw(self.summary),
                headers={name: list(values) for name, values in message.headers.items()},
                text=message.body,
                html=message.html_body,
                attachments=[_attachment(number, each) for number, each in enumerate(message.attachments, 1)],
                defects=message.defects,
                session=msgspec.Raw(self.session),
                from_=message.from_,
                sender=message.sender,
                reply_to=message.reply_to,
                to=message.to,
                cc=message.cc,
                bcc=message.bcc,
                date=message.date,
                in_reply_to=message.in_reply_to,
                references=message.references,
                text_from_html=message.text_from_html or "",
                releases=msgspec.Raw(self.releases),
            )
        )


def instant(at: float) -> str:
    """Return a time as a summary has it. Such texts are in the order of their times. `at`: seconds since 1970."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def records_of(mail: IncomingMail, by: MailboxBy, mailbox: str | None = None) -> list[Record]:
    """Return the records of a mail, one for each mailbox that it stands in. Parse as `record_of` does.

    `mailbox`: the only one; None lets `by` name them. The first record has the mail's id, the others add `-2`, `-3`.
    """
    username = mail.authentication[1] if mail.authentication else ""
    names = (mailbox,) if mailbox else by.names(username, mail.to, lambda name: _first_value(mail.message, name))
    first = record_of(mail, names[0])
    rest = (
        first._replace(summary=msgspec.structs.replace(first.summary, id=f"{mail.id}-{number}", mailbox=name))
        for number, name in enumerate(names[1:], 2)
    )
    return [first, *rest]


def _first_value(message: Message, header: str) -> str:
    return next((values[0] for name, values in message.headers.items() if name.lower() == header), "")


def record_of(mail: IncomingMail, mailbox: str = DEFAULT) -> Record:
    """Return the record of a mail. Parses the mail: call it in a thread, a large one takes long."""
    message = mail.message
    senders = message.from_
    headers = {name.lower(): values[0] for name, values in message.headers.items()}
    summary = Summary(
        id=mail.id,
        received_at=instant(mail.at),
        sender=mail.sender,
        to=mail.to,
        header_from=headers.get("from", "")[:MAX_HEADER],
        subject=message.subject[:MAX_HEADER],
        excerpt=_excerpt(message),
        size=len(mail.content),
        attachments=sum(not each.related for each in message.attachments),
        html=bool(message.html_body),
        code=mail.code,
        from_name=(senders[0].name or senders[0].address)[:MAX_HEADER] if senders else "",
        defects=len(message.defects),
        mailbox=mailbox,
    )
    session = SessionInfo(
        uuid=mail.uuid,
        remote_addr=mail.remote_addr,
        helo=mail.helo,
        authentication=CredentialsInfo(*mail.authentication) if mail.authentication else None,
        reply=mail.reply,
        reason=mail.reason,
        transcript=mail.transcript,
        tls=None if mail.tls is None else msgspec.convert(mail.tls, TLSInfo, from_attributes=True),
        parameters=mail.parameters,
        recipients=[RecipientInfo(each.address, each.parameters) for each in mail.recipients],
    )
    return Record(summary, msgspec.json.encode(session), _words(mail, message, headers), mail.content)


def _attachment(number: int, attachment: Attachment) -> AttachmentInfo:
    return AttachmentInfo(
        number=number,
        filename=attachment.filename,
        content_type=attachment.content_type,
        size=attachment.size,
        content_id=attachment.content_id,
        inline=attachment.inline,
        disposition=attachment.disposition,
        description=attachment.description,
        parameters=attachment.parameters,
        related=attachment.related,
        sha256=attachment.sha256(),
        content_location=attachment.content_location,
    )


def _excerpt(message: Message) -> str:
    """Return the beginning of the text, or of the HTML's words where there is no text."""
    text = message.body[: EXCERPT * 4]
    if not text.strip():
        text = _without_markup(message.html_body[:MAX_HTML])
    return " ".join(text.split())[:EXCERPT]


def _without_markup(text: str) -> str:
    """Return the words of an HTML text. A tag within a line joins its sides, another one parts them."""
    return unescape(_MARKUP.sub(" ", _INLINE.sub("", text)))


def fold(text: str, most: int | None = None) -> str:
    """Return a text as a search compares it: without case, accents and the width of characters.

    `most`: characters of the result; one of the text can become eighteen.
    """
    if text.isascii():
        return text.lower()[:most]
    # NFKD sorts each run of accents, in time quadratic to its length, and the accents go. So it gets short pieces.
    pieces = (unicodedata.normalize("NFKD", text[at : at + _PIECE]) for at in range(0, len(text), _PIECE))
    letters = (letter for piece in pieces for letter in piece if not unicodedata.combining(letter))
    return "".join(islice(letters, most)).casefold()[:most]


def words_of_html(message: Message) -> str:
    """Return the words of the HTML, of its first mebibyte where there is a text beside it."""
    return message.text_from_html or _without_markup(message.html_body[: 4 * MAX_WORDS])


def _words(mail: IncomingMail, message: Message, headers: Mapping[str, str]) -> str:
    """Return the texts that a search reads, each on a line. `headers`: the first value of each, by lower-case names."""
    addresses = [headers.get(name, "") for name in ("from", "to", "cc", "reply-to")]
    texts = [message.subject, mail.sender, *mail.to, *addresses, *(each.filename for each in message.attachments)]
    texts.append(message.body)
    if len(message.body) < MAX_WORDS:
        texts.append(words_of_html(message))
    return fold("\n".join(text[:MAX_WORDS] for text in texts)[:MAX_WORDS], MAX_WORDS)
