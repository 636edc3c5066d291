"""Mail for the tests of handlers: events as a host makes them, from simple arguments."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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
    **fields: object,
) -> dict[str, Any]:
    """Return the event of a message, for `ask`. It is an ordinary dict, which a test may change.

    `headers`: beside From, To, Subject, Date and Message-ID, or in their place. `attachments`: file names, each with
    bytes (mode memory) or with the path of a file (mode tempfile). `credentials`: the user name and password of an
    AUTH. `size`: bytes of the message; by default those of its contents. `fields`: any other top-level fields of the
    event, for example `id` or `defects`.
    """
    now = datetime.now(UTC)
    message_id = f"<{uuid4()}@example.com>"
    named: dict[str, str | list[str]] = {
        "From": sender,
        "To": ", ".join(recipients),
        "Subject": subject,
        "Date": f"{now:%a, %d %b %Y %H:%M:%S} +0000",
        "Message-ID": message_id,
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
    if credentials is not None:
        username, password = credentials
        event["authentication"] = {
            "attempted": True,
            "mechanism": "PLAIN",
            "username": username,
            "password": password,
        }
    event["message"] = {
        "headers": {name: [value] if isinstance(value, str) else value for name, value in named.items()},
        "id": message_id,
        "subject": subject,
        "body": text,
        "html_body": html,
        "size": len(f"{text}{html}".encode()) + sum(each["size"] for each in attached) if size is None else size,
    }
    return {**event, "attachments": attached, "defects": [], **fields}


def _attachment(filename: str, content: bytes | Path) -> dict[str, Any]:
    event: dict[str, Any] = {
        "filename": filename,
        "content_type": guess_type(filename)[0] or "application/octet-stream",
        "size": len(content) if isinstance(content, bytes) else content.stat().st_size,
        "content_id": "",
        "inline": False,
    }
    if isinstance(content, bytes):
        return {**event, "content": b64encode(content).decode()}
    return {**event, "path": str(content)}
