"""`rrpy dump`: write the mail of an inbox into a folder, one file for each, or one mbox file."""

from __future__ import annotations

import json
import mailbox
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from ..container.errors import HostError, reason_of
from ..container.text import printable
from .console import say

DEFAULT: Final = "http://localhost:8025"
TIMEOUT: Final = 60.0
"""Seconds for each answer."""
MBOX: Final = "mail.mbox"
"""The file that `--mbox` writes."""

_LOGIN: Final = "write NAME:PASSWORD@ before the host, or the name of a token and the token"

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


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


class Inbox:
    """The API of an inbox at a URL such as `https://ann:secret@mail.test`. Raises HostError. No error has the login."""

    def __init__(self, url: str) -> None:
        login, _, place = url.partition("://")[2].partition("/")[0].rpartition("@")
        self._url = url.replace(f"{login}@{place}", place, 1).rstrip("/") if login else url.rstrip("/")
        self._login = f"Basic {b64encode(unquote_to_bytes(login)).decode()}" if login else ""

    def get(self, path: str) -> bytes | None:
        """Return an answer; None for a message that was deleted in the meantime."""
        try:
            request = urllib.request.Request(f"{self._url}/api/v1/{path}")  # noqa: S310 - the user's own
            if self._login:
                request.add_unredirected_header("Authorization", self._login)
            with _opener.open(request, timeout=TIMEOUT) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            if error.code == 404 and path.endswith("/raw"):
                return None
            hint = f": it asks for a login; {_LOGIN}" if error.code == 401 else ""
            raise HostError(printable(f"the inbox at {self._url} answered {error.code}{hint}")) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            text = reason_of(reason) if isinstance(reason, OSError) else reason
            raise HostError(printable(f"cannot reach the inbox at {self._url}: {text}")) from None
