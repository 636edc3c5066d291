"""`rrpy dump`: write the mail of an inbox into a folder, one file for each, or one mbox file."""

from __future__ import annotations

import json
import mailbox
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..container.errors import HostError, reason_of
from ..container.text import printable
from .console import say

DEFAULT: Final = "http://localhost:8025"
TIMEOUT: Final = 60.0
"""Seconds for each answer."""
MBOX: Final = "mail.mbox"
"""The file that `--mbox` writes."""

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def dump(url: str, folder: Path, *, mbox: bool) -> None:
    """Write every mail, the oldest first, and say how many are new. Raises HostError; replaces no file."""
    mails = list(_summaries(url))
    mails.reverse()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = _write_mbox(url, folder / MBOX, mails) if mbox else _write_files(url, folder, mails)
    except OSError as error:
        raise HostError(f"cannot write into {printable(str(folder))}: {reason_of(error)}") from None
    say(printable(f"{written} written to {folder / MBOX if mbox else folder}"))


def _write_files(url: str, folder: Path, mails: list[dict[str, Any]]) -> int:
    written = 0
    for mail in mails:
        content = _raw(url, mail)
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


def _write_mbox(url: str, path: Path, mails: list[dict[str, Any]]) -> int:
    try:
        path.open("xb").close()
    except FileExistsError:
        raise HostError(f"{printable(str(path))} is there already; name another folder") from None
    box = mailbox.mbox(path)
    try:
        for mail in mails:
            content = _raw(url, mail)
            if content is not None:
                box.add(content.replace(b"\r\n", b"\n"))
        return len(box)
    finally:
        box.close()


def newest(url: str, count: int) -> tuple[int, list[str]]:
    """Return the number of messages, and a line for each of the newest, the oldest first. Raises HostError."""
    page = json.loads(_get(url, f"messages?limit={count}") or b"{}")
    lines = [
        f"  {each['from'] or '<>'} -> {', '.join(each['to'])} | {each['subject'] or '-'} | {each['code']}"
        for each in reversed(page["messages"])
    ]
    return page["total"], lines


def _summaries(url: str) -> Iterator[dict[str, Any]]:
    """Yield the messages of the inbox, the newest first."""
    before = ""
    while True:
        page = json.loads(_get(url, f"messages?limit=500{before}") or b"{}")
        yield from page["messages"]
        if page["next"] is None:
            return
        before = f"&before={int(page['next'])}"


def _raw(url: str, mail: dict[str, Any]) -> bytes | None:
    return _get(url, f"messages/{mail['id']}/raw")


def _get(url: str, path: str) -> bytes | None:
    """Return an answer of the API; None for a message that was deleted in the meantime. Raises HostError."""
    where = f"{url.rstrip('/')}/api/v1/{path}"
    try:
        with _opener.open(where, timeout=TIMEOUT) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        if error.code == 404 and path.endswith("/raw"):
            return None
        raise HostError(f"the inbox at {url} answered {error.code}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise HostError(
            f"cannot reach the inbox at {url}: {reason_of(reason) if isinstance(reason, OSError) else reason}"
        ) from None
