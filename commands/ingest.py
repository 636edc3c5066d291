"""`rrpy ingest`: send mail that is in files to a server: messages, mbox files, Maildirs, and folders of messages."""

from __future__ import annotations

import mailbox
from collections.abc import Iterator, Sequence
from email.message import Message
from email.utils import getaddresses
from pathlib import Path
from typing import Final

from ..container.errors import HostError, reason_of
from ..container.text import printable
from .console import complain, say
from .submission import EX_DATAERR, EX_TEMPFAIL, Server, SubmissionError, headers_of

FALLBACK: Final = "unknown@localhost"
"""The recipient of a mail that names none."""

_FIELDS: Final = frozenset(
    ("bcc", "cc", "content-type", "date", "delivered-to", "from", "message-id", "mime-version", "received", "reply-to")
) | {"resent-from", "return-path", "sender", "subject", "to"}
"""Fields of a header of which every mail has one. Lines with a colon alone make no mail: /etc/passwd has them too."""


def ingest(address: tuple[str, int], paths: Sequence[str]) -> int:
    """Send every mail of these paths, say how many, and return the exit code.

    It is 1 where a mail was refused, and EX_DATAERR where a file is not a mail; the others are sent.
    Raises HostError for a path that cannot be read, SubmissionError where the server goes away.
    """
    sent = refused = code = 0
    with Server(address) as server:
        for name, content in _mails(paths):
            headers = headers_of(content)
            if _FIELDS.isdisjoint(map(str.lower, headers.keys())):
                complain(f"{name} is not a mail: it does not begin with the header of one")
                code = EX_DATAERR
                continue
            sender, recipients = _envelope(headers)
            try:
                server.submit(sender, recipients, content)
                sent += 1
            except SubmissionError as error:
                if error.code == EX_TEMPFAIL:
                    raise HostError(f"{name}: {error}; {sent} are sent") from None
                complain(f"{name}: {error}")
                refused += 1
    say(f"{sent} sent" + (f", {refused} refused" if refused else ""))
    return code or (1 if refused else 0)


def _mails(paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield each mail with a name for it. Raises HostError for a path that cannot be read."""
    for path in map(Path, paths):
        try:
            yield from _mails_of(path)
        except OSError as error:
            raise HostError(f"cannot read {printable(str(path))}: {reason_of(error)}") from None


def _mails_of(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir() and all((path / name).is_dir() for name in ("cur", "new")):
        for name in ("cur", "new"):
            yield from _files(path / name)
    elif path.is_dir():
        yield from _files(path, "*.eml")
    else:
        with path.open("rb") as file:
            is_mbox = file.read(5) == b"From "
        if not is_mbox:
            yield str(path), path.read_bytes()
            return
        box = mailbox.mbox(path, create=False)
        try:
            for number, key in enumerate(box.iterkeys(), 1):
                yield f"{path} ({number})", box.get_bytes(key)
        finally:
            box.close()


def _files(folder: Path, pattern: str = "*") -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.glob(pattern)):
        if path.is_file():
            yield str(path), path.read_bytes()


def _envelope(headers: Message) -> tuple[str, list[str]]:
    """Return sender and recipients of a mail: of its Return-Path or From, and of its To, Cc and Bcc."""

    def addresses(*names: str) -> list[str]:
        values = [str(value) for name in names for value in headers.get_all(name, [])]
        return [address for _, address in getaddresses(values) if "@" in address]

    sender = (addresses("return-path") or addresses("from") or [""])[0]
    return sender, list(dict.fromkeys(addresses("to", "cc", "bcc"))) or [FALLBACK]
