"""A caught message as it goes out again: what a relay removes and adds, and nothing else. Pure.

- Line endings become CRLF: a relay sends nothing else (RFC 5321 section 2.3.8), and a bare CR could hide a header.
- `Bcc` goes, whose addresses the recipients must not see; `Return-Path` goes, which the last server adds (RFC 5321
  section 4.4). Postfix removes the same ones (`message_drop_headers`).
- `Received` comes before the rest. It names this inbox, and so shows a message that comes back.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Final

_ENDING: Final = re.compile(rb"\r\n|\r|\n")
_REMOVED: Final = re.compile(
    rb"^(?:(?:resent-)?bcc|return-path)[ \t]*:[^\n]*\n?(?:[ \t][^\n]*\n?)*", re.IGNORECASE | re.MULTILINE
)
_HOST: Final = re.compile(r"[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?", re.ASCII)


class Sender:
    """The inbox, as its `Received` names it. `host`: of the machine; `smtp_address`: where the inbox gets mail."""

    def __init__(self, host: str, smtp_address: str) -> None:
        self.host = host if _HOST.fullmatch(host) else "localhost"
        self._mark = f"rrpy-inbox-{sha256(f'{host} {smtp_address}'.encode()).hexdigest()[:16]}"

    def has_sent(self, content: bytes) -> bool:
        """Return whether this inbox has released the message before."""
        return self._mark.encode() in _split(content)[0]

    def outgoing(self, content: bytes, message_id: str, at: datetime) -> bytes:
        """Return the bytes to send. `at`: with its zone."""
        head, body = _split(_ENDING.sub(b"\r\n", content))
        received = f"Received: by {self.host} ({self._mark}) id {message_id};\r\n\t{format_datetime(at)}\r\n"
        whole = received.encode() + _REMOVED.sub(b"", head) + body
        return whole if whole.endswith(b"\r\n") else whole + b"\r\n"


def has_utf8_header(content: bytes) -> bool:
    """Return whether a header has bytes above 127."""
    return not _split(content)[0].isascii()


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Return the headers with their last line ending, and the rest, which begins with the empty line."""
    if content.startswith(b"\r\n"):
        return b"", content
    end = content.find(b"\r\n\r\n")
    return (content, b"") if end < 0 else (content[: end + 2], content[end + 2 :])
