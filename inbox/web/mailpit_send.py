"""The mail of a request to Mailpit's `/api/v1/send`: its JSON, and the message that the inbox keeps.

The package `email` of the standard library takes quadratic time and memory for its headers. So each of them is bounded.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from mimetypes import guess_type
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from .posting import PostedMail, posted_mail
from .problems import Problem

_OWN: Final = frozenset(("from", "to", "cc", "bcc", "reply-to", "subject", "mime-version"))
_NAME = re.compile(r"[!-9;-~]+")


Mailbox = Annotated[str, Meta(max_length=320)]
Line = Annotated[str, Meta(max_length=2000)]


class Person(msgspec.Struct, frozen=True, rename="pascal"):
    """A name and an address."""

    email: Mailbox
    name: Line = ""


People = Annotated[Sequence[Person], Meta(max_length=500)]


class File(msgspec.Struct, frozen=True):
    """An attachment. `content`: in base64. `content_id`: of one that the HTML shows."""

    content: str = msgspec.field(name="Content")
    filename: Line = msgspec.field(name="Filename")
    content_type: Line = msgspec.field(name="ContentType", default="")
    content_id: Line = msgspec.field(name="ContentID", default="")


class Posted(msgspec.Struct, frozen=True, rename="pascal"):
    """The body of the request. Tags are left out: rrpy has none."""

    from_: Person = msgspec.field(name="From")
    to: People = ()
    cc: People = ()
    bcc: Annotated[Sequence[Mailbox], Meta(max_length=500)] = ()
    reply_to: People = ()
    subject: Line = ""
    text: str = ""
    html: str = msgspec.field(name="HTML", default="")
    attachments: Annotated[Sequence[File], Meta(max_length=100)] = ()
    headers: Annotated[Mapping[Line, Line], Meta(max_length=100)] = {}

    def compose(self) -> bytes:
        """Return the message. Raises ValueError for what no message can have."""
        message = EmailMessage(SMTP)
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain="rrpy.invalid")
        message["From"] = _address(self.from_)
        for name, people in (("To", self.to), ("Cc", self.cc), ("Reply-To", self.reply_to)):
            if people:
                message[name] = [*map(_address, people)]
        message["Subject"] = self.subject
        for name, value in self.headers.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a header")
            if name.lower() not in _OWN:
                del message[name]
                message[name] = value
        message.set_content(self.text)
        if self.html:
            message.add_alternative(self.html, subtype="html")
        for file in self.attachments:
            _attach(message, file)
        return message.as_bytes()


def sent_mail(body: bytes) -> PostedMail:
    """Return the mail of a request. Call it in a thread, as `posted_mail`. Raises Problem."""
    try:
        posted = msgspec.json.decode(body, type=Posted)
        content = posted.compose()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, MessageError) as error:
        # What `email` cannot compose ends in one of these.
        raise Problem(400, f"the body is not a message: {error}") from None
    to = [*(each.email for each in (*posted.to, *posted.cc)), *posted.bcc]
    return posted_mail(content, posted.from_.email, list(dict.fromkeys(to)))


def _address(person: Person) -> Address:
    return Address(person.name, addr_spec=person.email)


def _attach(message: EmailMessage, file: File) -> None:
    kind = file.content_type or guess_type(file.filename)[0] or "application/octet-stream"
    content = b64decode(file.content, validate=True)
    main, _, sub = kind.partition("/")
    place: dict[str, Any] = {"maintype": main, "subtype": sub or "octet-stream", "filename": file.filename}
    html = message.get_body(("html",))
    if file.content_id and isinstance(html, EmailMessage):
        html.add_related(content, cid=f"<{file.content_id}>", disposition="inline", **place)
    else:
        message.add_attachment(content, **place)
