"""A caught message as it goes out again: what a relay removes and adds, and nothing else. Pure.

- Line endings become CRLF: a relay sends nothing else (RFC 5321 section 2.3.8), and a bare CR could hide a header.
- `Bcc` goes, whose addresses the recipients must not see; `Return-Path` goes, which the last server adds (RFC 5321
  section 4.4). Postfix removes the same ones (`message_drop_headers`).
- `Received` comes before the rest. It names this inbox, and so shows a message that comes back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Final

MAX_HEAD: Final = 1024 * 1024
"""Bytes of the headers of a message that goes out; relays take fewer."""
PIECE: Final = 256 * 1024
"""Bytes that are sent at a time; more, up to the end of a line."""

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
        """Return the bytes to send. `at`: with its zone. Raises ValueError for headers above MAX_HEAD."""
        head, body = _split(_with_crlf(content))
        if len(head) > MAX_HEAD:
            raise ValueError(f"the headers have {len(head)} bytes; a release takes {MAX_HEAD}")
        received = f"Received: by {self.host} ({self._mark}) id {message_id};\r\n\t{format_datetime(at)}\r\n"
        whole = received.encode() + _REMOVED.sub(b"", head) + body
        return whole if whole.endswith(b"\r\n") else whole + b"\r\n"


def pieces(content: bytes) -> Iterator[bytes]:
    """Yield a message with CRLF line endings as DATA sends it: dots stuffed, and the end of data last."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start + PIECE) + 1 or len(content)  # each piece begins a line
        piece = content[start:end].replace(b"\r\n.", b"\r\n..")
        yield b"." + piece if piece.startswith(b".") else piece
        start = end
    yield b".\r\n"


def has_utf8_header(content: bytes) -> bool:
    """Return whether a header has bytes above 127."""
    return not _split(content)[0].isascii()


def _with_crlf(content: bytes) -> bytes:
    """Return the content with each line ending as CRLF. A regular expression takes seconds, and gigabytes."""
    whole = content.count(b"\r\n")
    if content.count(b"\r") == whole == content.count(b"\n"):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Return the headers with their last line ending, and the rest, which begins with the empty line."""
    if content.startswith(b"\r\n"):
        return b"", content
    end = content.find(b"\r\n\r\n")
    return (content, b"") if end < 0 else (content[: end + 2], content[end + 2 :])
