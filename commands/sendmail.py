"""`rrpy sendmail`: sendmail(8) for programs that call it, such as PHP's `mail()`, cron and git.

It takes the options of Postfix's sendmail and hands the mail to an SMTP server at once, without a queue.
"""

from __future__ import annotations

import getopt
import getpass
import os
import re
import select
import socket
from collections.abc import Sequence
from email.utils import formataddr, formatdate, getaddresses, make_msgid
from typing import BinaryIO, Final

from ..container.errors import reason_of
from .submission import EX_DATAERR, EX_OK, EX_TEMPFAIL, EX_USAGE, Server, SubmissionError, check_text, headers_of

OPTIONS: Final = "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx"
"""The options of Postfix's sendmail(1), for getopt. Those that mean nothing here are ignored."""
MAX_BYTES: Final = 256 * 1024 * 1024
"""Bytes of a mail that it reads from stdin."""
PIECE: Final = 65536
"""Bytes of one read in the mode -bs."""

_BLANK_LINE = re.compile(rb"^\r?\n", re.MULTILINE)
_BCC = re.compile(rb"^(?:resent-)?bcc[ \t]*:.*\r?\n(?:[ \t].*\r?\n)*", re.MULTILINE | re.IGNORECASE)
_DOT = re.compile(rb"^\.\r?\n", re.MULTILINE)


class Request:
    """A command line of sendmail(8). Raises SubmissionError for one that is wrong."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.sender = ""
        self.null_sender = False
        self.name = ""
        self.mode = "m"
        self.from_headers = False
        self.ignore_dots = False
        try:
            options, self.recipients = getopt.gnu_getopt(list(arguments), OPTIONS)
        except getopt.GetoptError as error:
            raise SubmissionError(f"sendmail: {error}", EX_USAGE) from None
        for option, value in options:
            self._take(option, value)
        for text in (self.sender, self.name, *self.recipients):
            check_text(text, EX_USAGE)

    def _take(self, option: str, value: str) -> None:
        if option in ("-f", "-r"):
            self.sender = "" if value == "<>" else value.strip("<>")
            self.null_sender = value == "<>"
        elif option == "-F":
            self.name = value
        elif option == "-t":
            self.from_headers = True
        elif option == "-i" or (option == "-o" and value == "i"):
            self.ignore_dots = True
        elif option == "-b":
            self.mode = value


def submit_stdin(arguments: Sequence[str], address: tuple[str, int], stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Send the mail on stdin by the options of sendmail(1). Return the exit code; raise SubmissionError."""
    request = Request(arguments)
    if request.mode == "s":
        return _converse(address, stdin, stdout)
    if request.mode == "p":
        stdout.write(b"Mail queue is empty\n")
        return EX_OK
    if request.mode == "i":
        return EX_OK  # newaliases: there are no aliases
    if request.mode != "m":
        raise SubmissionError(
            f"sendmail: the mode -b{request.mode} is not known; it takes -bm, -bs, -bp, -bi", EX_USAGE
        )
    if not request.recipients and not request.from_headers:
        raise SubmissionError("sendmail: say the recipients on the command line, or -t", EX_USAGE)
    head, body = _split(_read(stdin, request.ignore_dots))
    sender = request.sender or ("" if request.null_sender else f"{_user()}@{socket.gethostname()}")
    recipients = list(request.recipients)
    if request.from_headers:
        recipients += _recipients(head)
        head = _BCC.sub(b"", head)
    recipients = list(dict.fromkeys(recipients))
    if not recipients:
        raise SubmissionError("sendmail: the headers To, Cc and Bcc have no address", EX_DATAERR)
    with Server(address) as server:
        server.submit(sender, recipients, _completed(head, sender, request.name) + b"\n" + body)
    return EX_OK


def _read(stdin: BinaryIO, ignore_dots: bool) -> bytes:
    content = stdin.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise SubmissionError(f"sendmail: the mail is larger than {MAX_BYTES} bytes", EX_DATAERR)
    end = None if ignore_dots else _DOT.search(content)
    return content[: end.start()] if end else content


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Return the header block, which ends with a line's end, and the body."""
    blank = _BLANK_LINE.search(content)
    head, body = (content[: blank.start()], content[blank.end() :]) if blank else (content, b"")
    return head if not head or head.endswith(b"\n") else head + b"\n", body


def _recipients(head: bytes) -> list[str]:
    """Return the addresses of To, Cc and Bcc; of their Resent- forms alone where the mail has these (Postfix)."""
    headers = headers_of(head)
    names = ("to", "cc", "bcc")
    if any(f"resent-{name}" in headers for name in names):
        names = ("resent-to", "resent-cc", "resent-bcc")
    values = [str(value) for name in names for value in headers.get_all(name, [])]
    return [address for _, address in getaddresses(values) if address]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without an entry in /etc/passwd, as in a container
        return f"uid{os.getuid()}"


def _completed(head: bytes, sender: str, name: str) -> bytes:
    """Return the header block with the fields that a mail server adds: From, Date, Message-ID (RFC 6409, section 8)."""
    present = {line.partition(b":")[0].strip().lower() for line in head.splitlines()}
    added = []
    if b"from" not in present:
        # formataddr takes no address beyond ASCII, and a mail may have one (RFC 6532).
        address = sender or "MAILER-DAEMON"
        added.append(f"From: {formataddr((name, '')).removesuffix('<>')}<{address}>" if name else f"From: {address}")
    if b"date" not in present:
        added.append(f"Date: {formatdate(localtime=True)}")
    if b"message-id" not in present:
        added.append(f"Message-ID: {make_msgid(domain=socket.gethostname())}")
    return "".join(f"{line}\n" for line in added).encode() + head


def _converse(address: tuple[str, int], stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Speak SMTP on stdin and stdout (-bs): copy bytes both ways until the server closes."""
    try:
        connection = socket.create_connection(address)
    except OSError as error:
        raise SubmissionError(f"cannot reach {address[0]}:{address[1]}: {reason_of(error)}", EX_TEMPFAIL) from None
    sources: list[BinaryIO | socket.socket] = [connection, stdin]
    with connection:
        while True:
            ready, _, _ = select.select(sources, [], [])
            if connection in ready:
                piece = connection.recv(PIECE)
                if not piece:
                    return EX_OK
                stdout.write(piece)
                stdout.flush()
            if stdin in ready:
                piece = stdin.read1(PIECE)  # type: ignore[attr-defined]  # of a BufferedReader
                if piece:
                    connection.sendall(piece)
                else:
                    sources.remove(stdin)
                    connection.shutdown(socket.SHUT_WR)
