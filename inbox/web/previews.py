"""Previews of attachments: pictures, PDF and plain text, which a browser may show.

What we want: a look at an attachment without a download.
What does not work: its declared type or its name. A browser runs the scripts of HTML, SVG and XML that it opens.
What we do: the first bytes decide. A preview is a picture of pixels, a PDF, or else plain text in UTF-8; HTML and SVG
are shown as their source. Every answer has `nosniff`, so a browser keeps to that type, and `downloads.shown` adds a
policy with a sandbox without scripts.
What can still fail: the browser's own decoder of pictures, or its viewer of PDF, has a fault.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ...mime.charsets import decode
from ...mime.pictures import sniffed

MAX_TEXT: Final = 1024 * 1024
"""Bytes of a text that its preview has."""

_HEAD: Final = 8192  # bytes that decide
_ODD = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
_PDF: Final = b"%PDF-"
_TEXT_TYPE: Final = "text/plain; charset=utf-8"


class Preview(NamedTuple):
    """The bytes of a preview, and their type."""

    content: bytes
    media_type: str


def preview_of(content: bytes, charset: str = "") -> Preview | None:
    """Return the preview of an attachment, None for one that has none. `charset`: of its type, for a text."""
    head = content[:_HEAD]
    if head.lstrip().startswith(_PDF):
        return Preview(content, "application/pdf")
    kind = sniffed(content)
    if kind and kind != "image/svg+xml" and b"\x00" in head:  # a text can begin as a picture does: `BM`
        return Preview(content, kind)
    text = decode(content[:MAX_TEXT], charset.encode("ascii", "replace"), {})
    if "\x00" in text or len(_ODD.findall(text)) * 100 > len(text):
        return None
    return Preview(text.encode("utf-8", "replace"), _TEXT_TYPE)
