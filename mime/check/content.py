"""The rules of the bytes, the parts and the texts. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..defects import DEFECTS
from .findings import Findings
from .source import TEXTS, Source

MAX_LINE: Final = 998
"""Bytes of a line without its end (RFC 5322 section 2.1.1)."""
GMAIL_CLIP: Final = 102 * 1024
"""Bytes of HTML after which Gmail cuts a mail."""


def check_content(mail: Source, found: Findings) -> None:
    """Add what is wrong with the lines, the encodings and the texts."""
    for start, length in long_lines(mail.raw):
        number = mail.raw.count(b"\n", 0, start) + 1 if found.has_room("line-long") else 0
        found.add("line-long", f"line {number}, {length} bytes")
    for defect in mail.message.defects:
        found.add("part-malformed", f"{defect}: {DEFECTS[defect]}")
    _check_parts(mail, found)
    _check_texts(mail, found)


def long_lines(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield the beginning and the length of each line that is too long. A search never goes over many lines at once."""
    pos, size = 0, len(raw)
    while pos + MAX_LINE < size:
        last = raw.rfind(b"\n", pos, pos + MAX_LINE + 1)
        if last >= 0:  # the lines before it are short
            pos = last + 1
            continue
        end = raw.find(b"\n", pos + MAX_LINE + 1)
        end = end if end >= 0 else size
        length = end - pos - raw.endswith(b"\r", pos, end)
        if length > MAX_LINE:
            yield pos, length
        pos = end + 1


def _check_parts(mail: Source, found: Findings) -> None:
    texts = dict(zip(TEXTS, (mail.message.body, mail.message.html_body), strict=True))
    for number, leaf in enumerate(mail.leaves, 1):
        place = f"part {number}, {leaf.listed}"
        if leaf.encoding not in ("8bit", "binary") and leaf.kind and not mail.raw[leaf.start : leaf.end].isascii():
            found.add("encoding-8bit", f"{place}, {leaf.encoding or '7bit'}")
        is_text = leaf.kind in texts and b"content-disposition" not in leaf.fields
        if is_text and b"charset" not in leaf.parameters and not texts[leaf.kind].isascii():
            found.add("charset-missing", place)


def _check_texts(mail: Source, found: Findings) -> None:
    message = mail.message
    size = len(message.html_body.encode())
    if size > GMAIL_CLIP:
        found.add("gmail-clip", f"HTML, {size} bytes")
    has_text = bool(message.body.strip())
    if message.html_body.strip():
        if not has_text:
            there = any(leaf.kind == "text/plain" for leaf in mail.leaves)
            found.add("text-empty" if there else "text-missing")
    elif not has_text and not message.attachments:
        found.add("body-empty")
