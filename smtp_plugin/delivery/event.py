"""The event that a worker gets for a message, as JSON (docs/reference/events.md). Pure.

The attachments' contents pass the encoder by: base64 holds no character to escape. A part that came as clean base64 is
never decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any, Final

import msgspec

from ...mime.message import Attachment, Message
from ..session import Envelope, Session, TLSInfo

NAME: Final = "EMAIL_RECEIVED"

_encode = msgspec.json.Encoder().encode


_NONE: Final[dict[str, str | bool]] = {}


class Recipient(msgspec.Struct, frozen=True):
    """A recipient of the envelope. `parameters`: of its RCPT, such as NOTIFY; True for one without a value."""

    address: str
    parameters: Mapping[str, str | bool]


class Arrival(msgspec.Struct, frozen=True):
    """The arrival of a message: its envelope and its session, as they were at its last byte.

    `at`: the time of that byte, in seconds since 1970. `authentication`: mechanism, user name and password; None
    without AUTH. `parameters`: of MAIL, such as SIZE; True for one without a value. `recipients`: `to`, with the
    parameters of each RCPT. `tls`: None in clear.
    """

    id: str
    at: float
    uuid: str
    remote_addr: str
    sender: str
    to: Sequence[str]
    helo: str
    authentication: tuple[str, str, str] | None
    parameters: Mapping[str, str | bool] = {}
    recipients: Sequence[Recipient] = ()
    tls: TLSInfo | None = None

    @classmethod
    def of(cls, session: Session, envelope: Envelope, message_id: str, at: float) -> Arrival:
        r"""Return the arrival of a session's message. Bytes that are not UTF-8 become `\xff`."""
        credentials = session.credentials
        to = [text(address) for address in envelope.rcpt_tos]
        return cls(
            id=message_id,
            at=at,
            uuid=session.uuid,
            remote_addr=session.remote_addr,
            sender=text(envelope.mail_from or ""),
            to=to,
            helo=text(session.helo),
            authentication=(
                credentials.mechanism,
                credentials.username.decode("utf-8", "backslashreplace"),
                credentials.secret.decode("utf-8", "backslashreplace"),
            )
            if credentials
            else None,
            parameters=_parameters(envelope.parameters),
            recipients=[Recipient(*each) for each in zip(to, _parameters_of_all(envelope), strict=False)],
            tls=session.tls,
        )

    @property
    def received_at(self) -> str:
        """The time of its last byte, as ISO 8601 in UTC."""
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="microseconds")


def build_event(
    arrival: Arrival, message: Message, paths: Sequence[str] | None = None, *, all_headers: bool = False
) -> bytes:
    """Return the event. `paths`: the attachments' files, in their order; None puts the contents into the event.

    `all_headers`: the event has `headers_list` too.
    """
    head: dict[str, Any] = {
        "event": NAME,
        "id": arrival.id,
        "uuid": arrival.uuid,
        "remote_addr": arrival.remote_addr,
        "received_at": arrival.received_at,
        "envelope": {
            "from": arrival.sender,
            "to": arrival.to,
            "helo": arrival.helo,
            "parameters": arrival.parameters,
            "recipients": arrival.recipients,
        },
    }
    if arrival.authentication is not None:
        mechanism, username, password = arrival.authentication
        head["authentication"] = {
            "attempted": True,
            "mechanism": mechanism,
            "username": username,
            "password": password,
        }
    if arrival.tls is not None:
        head["tls"] = arrival.tls
    head["message"] = _message(message, all_headers)
    pieces = [_encode(head)[:-1], b',"attachments":[']
    for number, attachment in enumerate(message.attachments):
        pieces += [b"," if number else b"", *_attachment(attachment, paths[number] if paths is not None else None)]
    pieces += [b'],"defects":', _encode(message.defects), b"}"]
    return b"".join(pieces)


def text(value: str) -> str:
    r"""Return `value` for JSON: a surrogate, which stands for a byte that is not UTF-8, becomes `\xff`."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _message(message: Message, all_headers: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "headers": message.headers,
        "id": message.id,
        "subject": message.subject,
        "body": message.body,
        "html_body": message.html_body,
        "size": message.size,
        "from": message.from_,
        "sender": message.sender,
        "reply_to": message.reply_to,
        "to": message.to,
        "cc": message.cc,
        "bcc": message.bcc,
        "date": message.date,
        "in_reply_to": message.in_reply_to,
        "references": message.references,
    }
    if (readable := message.text_from_html) is not None:
        described["text_from_html"] = readable
    if all_headers:
        described["headers_list"] = message.headers_list
    return described


def _parameters_of_all(envelope: Envelope) -> Iterable[dict[str, str | bool]]:
    """Return the parameters of each recipient; none where a handler has added a recipient itself."""
    return chain(map(_parameters, envelope.recipients), repeat(_NONE))


def _parameters(found: Mapping[str, str | None]) -> dict[str, str | bool]:
    return {name: True if value is None else text(value) for name, value in found.items()} if found else _NONE


def _attachment(attachment: Attachment, path: str | None) -> list[bytes]:
    description: dict[str, Any] = {
        "filename": attachment.filename,
        "content_type": attachment.content_type,
        "size": attachment.size,
        "content_id": attachment.content_id,
        "inline": attachment.inline,
        "disposition": attachment.disposition,
        "description": attachment.description,
        "parameters": attachment.parameters,
        "related": attachment.related,
        "sha256": attachment.sha256(),
    }
    if path is not None:
        return [_encode(description | {"path": path})]
    return [_encode(description)[:-1], b',"content":"', attachment.base64(), b'"}']
