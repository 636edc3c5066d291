"""Downloads, bytes of a mail that a browser saves under a fitting name, and previews, which it may show."""

from __future__ import annotations

import mimetypes
from urllib.parse import quote

from starlette.responses import Response

POLICY = "sandbox; default-src 'none'"
"""The Content-Security-Policy of bytes of a mail, for a browser that shows them all the same."""
PREVIEW_POLICY = f"{POLICY}; frame-ancestors 'self'"
"""The same for bytes that a browser may show."""
MAX_NAME = 150
"""Bytes of a file name made from a subject; file systems take 255."""


def download(content: bytes | memoryview, media_type: str, filename: str) -> Response:
    """Return a response that a browser saves and does not show."""
    headers = {"Content-Disposition": disposition(filename), "Content-Security-Policy": POLICY}
    response = Response(content, headers=headers | {"Referrer-Policy": "no-referrer"})
    response.headers["Content-Type"] = media_type
    return response


def shown(content: bytes, media_type: str) -> Response:
    """Return a response that a browser may show as this type alone, without scripts (see `previews`)."""
    headers = {"Content-Disposition": "inline", "Content-Security-Policy": PREVIEW_POLICY}
    response = Response(content, headers=headers | {"Referrer-Policy": "no-referrer"})
    response.headers["Content-Type"] = media_type
    return response


def disposition(filename: str) -> str:
    """Return the Content-Disposition of a download (RFC 6266): the name in ASCII, and in UTF-8 (RFC 8187)."""
    clean = "".join(letter for letter in filename if letter.isprintable() and letter not in '/\\"')
    ascii_name = clean.encode("ascii", "replace").decode().replace("?", "_")
    whole = quote(clean.encode("utf-8", "replace"), safe="")
    name = f'attachment; filename="{ascii_name or "attachment"}"'
    return name if clean == ascii_name else f"{name}; filename*=UTF-8''{whole}"


def message_name(subject: str, ending: str = ".eml") -> str:
    """Return the file name of a message: its subject without characters that file systems refuse, or `message`."""
    letters = (each if each.isprintable() and each not in '/\\:*?"<>|' else " " for each in subject)
    name = " ".join("".join(letters).split()).encode("utf-8", "ignore")[:MAX_NAME].decode("utf-8", "ignore")
    return f"{name.strip(' .') or 'message'}{ending}"


def attachment_name(filename: str, number: int, content_type: str) -> str:
    """Return an attachment's own name, or one of its number and the extension of its type."""
    return filename or f"attachment-{number}{mimetypes.guess_extension(content_type) or ''}"
