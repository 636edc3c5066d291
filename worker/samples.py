"""Mail for the tests of handlers: events as a host makes them, from simple arguments."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from uuid import uuid4

from .mails import NAME


def email_event(
    *,
    sender: str = "sender@example.com",
    recipients: Sequence[str] = ("recipient@example.com",),
    subject: str = "Hello",
    text: str = "Hi there",
    html: str = "",
    headers: Mapping[str, str | list[str]] | None = None,
    attachments: Sequence[tuple[str, bytes | Path]] = (),
    credentials: tuple[str, str] | None = None,
    size: int | None = None,
    text_from_html: str | None = None,
    **fields: object,
) -> dict[str, Any]:
    """Return the event of a message, for `ask`. It is an ordinary dict, which a test may change.

    `headers`: beside From, To, Subject, Date and Message-ID, or in their place. `attachments`: file names, each with
    bytes (mode memory) or with the path of a file (mode tempfile). `credentials`: the user name and password of an
    AUTH. `size`: bytes of the message; by default those of its contents. `text_from_html`: of a message without a text.
    `fields`: any other top-level fields of the event, for example `id`, `tls` or `defects`.
    """
    now = datetime.now(UTC)
    message_id = f"{uuid4()}@example.com"
    named: dict[str, str | list[str]] = {
        "From": sender,
        "To": ", ".join(recipients),
        "Subject": subject,
        "Date": f"{now:%a, %d %b %Y %H:%M:%S} +0000",
        "Message-ID": f"<{message_id}>",
        **(headers or {}),
    }
    attached = [_attachment(filename, content) for filename, content in attachments]
    event: dict[str, Any] = {
        "event": NAME,
        "id": str(uuid4()),
        "uuid": str(uuid4()),
        "remote_addr": "127.0.0.1:50000",
        "received_at": now.isoformat(timespec="microseconds"),
        "envelope": {"from": sender, "to": list(recipients), "helo": "client.example.com"},
    }
    event["envelope"]["parameters"] = {}
    event["envelope"]["recipients"] = [{"address": each, "parameters": {}} for each in recipients]
    if credentials is not None:
        username, password = credentials
        event["authentication"] = {
            "attempted": True,
            "mechanism": "PLAIN",
            "username": username,
            "password": password,
        }
    listed = {name: [value] if isinstance(value, str) else value for name, value in named.items()}
    event["message"] = {
        "headers": listed,
        "id": {name.lower(): values[0] for name, values in listed.items() if values}["message-id"].strip(" <>"),
        "subject": subject,
        "body": text,
        "html_body": html,
        "size": len(f"{text}{html}".encode()) + sum(each["size"] for each in attached) if size is None else size,
        **_parsed({name.lower(): values for name, values in listed.items()}),
    }
    if text_from_html is not None:
        event["message"]["text_from_html"] = text_from_html
    return {**event, "attachments": attached, "defects": [], **fields}


def _parsed(headers: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the parsed fields, for plain headers: a host reads them from the bytes of the message."""
    parsed: dict[str, Any] = {
        name: [{"name": each, "address": address} for each, address in getaddresses(headers.get(header, []))]
        for name, header in (
            ("from", "from"),
            ("sender", "sender"),
            ("reply_to", "reply-to"),
            ("to", "to"),
            ("cc", "cc"),
            ("bcc", "bcc"),
        )
    }
    try:
        date = parsedate_to_datetime("".join(headers.get("date", [])[:1]))
        parsed["date"] = (date if date.tzinfo else date.replace(tzinfo=UTC)).isoformat()
    except ValueError:
        parsed["date"] = None
    for name, header in (("in_reply_to", "in-reply-to"), ("references", "references")):
        parsed[name] = [each.strip("<>") for each in " ".join(headers.get(header, [])).split()]
    return parsed


def _attachment(filename: str, content: bytes | Path) -> dict[str, Any]:
    event: dict[str, Any] = {
        "filename": filename,
        "content_type": guess_type(filename)[0] or "application/octet-stream",
        "size": len(content) if isinstance(content, bytes) else content.stat().st_size,
        "content_id": "",
        "inline": False,
        "disposition": "attachment",
        "description": "",
        "parameters": {},
        "related": False,
        "sha256": sha256(content if isinstance(content, bytes) else content.read_bytes()).hexdigest(),
    }
    if isinstance(content, bytes):
        return {**event, "content": b64encode(content).decode()}
    return {**event, "path": str(content)}
