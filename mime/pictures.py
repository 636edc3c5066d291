"""Whether bytes are a picture that a browser shows. Pure."""

from __future__ import annotations

import re
from typing import Final

_SVG: Final = re.compile(rb"\s*+(?:(?:<\?xml[^>]*+>|<!--(?>.*?-->)|<!DOCTYPE[^>]*+>)\s*+)*+<svg[\s>]", re.DOTALL)
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"BM", "image/bmp"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
)
"""First bytes of image files (WHATWG MIME Sniffing, section 6.1)."""


def sniffed(content: bytes) -> str:
    """Return the type of an image file by its first bytes, whatever its part says; empty for other bytes."""
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp" and content[8:12] in (b"avif", b"avis"):
        return "image/avif"
    return "image/svg+xml" if _SVG.match(content[:8192]) else ""
