"""`rrpy dump`: write the mail of an inbox into a folder, one file for each, or one mbox file."""

from __future__ import annotations

import json
import mailbox
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..container.errors import HostError, reason_of
from ..container.text import printable
from .console import say
from .inbox import Inbox

MBOX: Final = "mail.mbox"
"""The file that `--mbox` writes."""


def dump(url: str, folder: Path, *, mbox: bool) -> None:
    """Write every mail, the oldest first, and say how many are new. Raises HostError; replaces no file.

    `url`: of the inbox, with the login before its host where it asks for one.
    """
    inbox = Inbox(url)
    mails = list(_summaries(inbox))
    mails.reverse()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = _write_mbox(inbox, folder / MBOX, mails) if mbox else _write_files(inbox, folder, mails)
    except OSError as error:
        raise HostError(f"cannot write into {printable(str(folder))}: {reason_of(error)}") from None
    say(printable(f"{written} written to {folder / MBOX if mbox else folder}"))


def _write_files(inbox: Inbox, folder: Path, mails: list[dict[str, Any]]) -> int:
    written = 0
    for mail in mails:
        content = _raw(inbox, mail)
        if content is not None:
            written += _write_file(folder / f"{int(mail['number']):06}.eml", content)
    return written


def _write_file(path: Path, content: bytes) -> bool:
    """Return whether the file is new; one with this content stays as it is."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        if path.read_bytes() == content:
            return False
        raise HostError(f"{printable(str(path))} is there already, with another content; name another folder") from None
    return True


def _write_mbox(inbox: Inbox, path: Path, mails: list[dict[str, Any]]) -> int:
    try:
        path.open("xb").close()
    except FileExistsError:
        raise HostError(f"{printable(str(path))} is there already; name another folder") from None
    box = mailbox.mbox(path)
    try:
        for mail in mails:
            content = _raw(inbox, mail)
            if content is not None:
                box.add(content.replace(b"\r\n", b"\n"))
        return len(box)
    finally:
        box.close()


def _summaries(inbox: Inbox) -> Iterator[dict[str, Any]]:
    """Yield the messages of the inbox, the newest first."""
    before = ""
    while True:
        page = json.loads(inbox.get(f"messages?limit=500{before}") or b"{}")
        yield from page["messages"]
        if page["next"] is None:
            return
        before = f"&before={int(page['next'])}"


def _raw(inbox: Inbox, mail: dict[str, Any]) -> bytes | None:
    return inbox.get(f"messages/{mail['id']}/raw")
