"""All attachments of a message as one zip file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from io import BytesIO
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from ...mime.filenames import safe_name, split_name
from ..records import AttachmentInfo
from .downloads import attachment_name

MAX_ARCHIVE: Final = 256 * 1024 * 1024
"""Bytes of the attachments of one archive."""

_FILE: Final = 0o100644 << 16  # a plain file, in the form of Unix


def archive_of(
    attachments: Iterable[AttachmentInfo], received_at: str, read: Callable[[int], bytes | None]
) -> memoryview | None:
    """Return a zip file, without compression: attachments rarely shrink. None where one can no longer be read.

    `received_at`: ISO 8601, the time of each file. `read`: returns the content by its number.
    """
    attachments = list(attachments)
    at = datetime.fromisoformat(received_at)
    target = BytesIO()
    with ZipFile(target, "w", ZIP_STORED) as archive:
        for each, name in zip(attachments, names_of(attachments), strict=True):
            content = read(each.number)
            if content is None:
                return None
            entry = ZipInfo(name, (max(at.year, 1980), at.month, at.day, at.hour, at.minute, at.second))
            entry.external_attr = _FILE
            archive.writestr(entry, content)
    return target.getbuffer()


def names_of(attachments: Iterable[AttachmentInfo]) -> list[str]:
    """Return a name for each: safe in any folder, and given once, also where case does not count."""
    used: set[str] = set()
    last: dict[str, int] = {}
    names = []
    for each in attachments:
        wanted = safe_name(
            attachment_name(each.filename, each.number, each.content_type), otherwise=f"attachment-{each.number}"
        )
        stem, ending = split_name(wanted)
        name = wanted
        while name.casefold() in used:
            last[wanted.casefold()] = count = last.get(wanted.casefold(), 1) + 1
            name = f"{stem} ({count}){ending}"
        used.add(name.casefold())
        names.append(name)
    return names
