"""All attachments of a message as one zip file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from ...mime.filenames import safe_name, split_name
from ...mime.message import Attachment
from .downloads import attachment_name

MAX_ARCHIVE: Final = 256 * 1024 * 1024
"""Bytes of the attachments of one archive."""

_FILE: Final = 0o100644 << 16  # a plain file, in the form of Unix


def archive_of(attachments: Sequence[Attachment], received_at: str) -> memoryview:
    """Return a zip file, without compression: attachments rarely shrink.

    `received_at`: ISO 8601, the time of each file.
    """
    at = datetime.fromisoformat(received_at)
    target = BytesIO()
    with ZipFile(target, "w", ZIP_STORED) as archive:
        for each, name in zip(attachments, names_of(attachments), strict=True):
            entry = ZipInfo(name, (max(at.year, 1980), at.month, at.day, at.hour, at.minute, at.second))
            entry.external_attr = _FILE
            archive.writestr(entry, each.content())
    return target.getbuffer()


def names_of(attachments: Sequence[Attachment]) -> list[str]:
    """Return a name for each: safe in any folder, and given once, also where case does not count."""
    used: set[str] = set()
    last: dict[str, int] = {}
    names = []
    for number, each in enumerate(attachments, 1):
        wanted = safe_name(attachment_name(each.filename, number, each.content_type), otherwise=f"attachment-{number}")
        stem, ending = split_name(wanted)
        name = wanted
        while name.casefold() in used:
            last[wanted.casefold()] = count = last.get(wanted.casefold(), 1) + 1
            name = f"{stem} ({count}){ending}"
        used.add(name.casefold())
        names.append(name)
    return names
