"""Mail from the command line to an SMTP server: the connection, the bytes, and the exit codes of sysexits.h.

The standard library's smtplib is the client: these commands send a mail or a few, and need nothing more.
"""

from __future__ import annotations

import os
import re
import smtplib
from collections.abc import Sequence
from email.message import Message
from email.parser import HeaderParser
from types import TracebackType
from typing import Final

from ..container.errors import ConfigError, HostError, reason_of
from ..container.text import printable

DEFAULT: Final = "localhost:1025"
"""The server's address where neither an option nor the environment names one."""
TIMEOUT: Final = 60.0
"""Seconds for a connection and for each reply."""

EX_OK: Final = 0
EX_USAGE: Final = 64
EX_DATAERR: Final = 65
EX_NOUSER: Final = 67
EX_UNAVAILABLE: Final = 69
EX_TEMPFAIL: Final = 75

_ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]/@]+)):([0-9]{1,5})")
_EOL = re.compile(rb"\r\n|\r|\n")


class SubmissionError(HostError):
    """A mail was not accepted. `code`: the exit code of sysexits.h; EX_TEMPFAIL where it is worth another try."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def server_address(option: str | None) -> tuple[str, int]:
    """Return host and port of `--smtp`, else of SMTP_HOST and SMTP_PORT, else of DEFAULT. Raises ConfigError."""
    host, port = os.environ.get("SMTP_HOST", ""), os.environ.get("SMTP_PORT", "")
    text = option or (
        f"{f'[{host}]' if ':' in host else host or 'localhost'}:{port or 1025}" if host or port else DEFAULT
    )
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[3]) > 65535:
        source = "--smtp" if option else "SMTP_HOST and SMTP_PORT"
        raise ConfigError(f"{source}: {text!r} is not an address; write host:port, for example {DEFAULT}")
    return found[1] or found[2], int(found[3])


def check_text(text: str, code: int) -> None:
    """Raise SubmissionError with this exit code for control characters, which would begin a header or a command."""
    if not text.isprintable():
        raise SubmissionError(f"'{printable(text)}' has a control character, or a byte that is not UTF-8", code)


def headers_of(content: bytes) -> Message:
    """Return the headers of a mail. They may have UTF-8 as it is (RFC 6532)."""
    return HeaderParser().parsestr(content.decode("utf-8", "replace"))


class Server:
    """An SMTP server that takes mail, over one connection. A context manager; raises SubmissionError."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._client: smtplib.SMTP | None = None

    def __enter__(self) -> Server:
        host, port = self._address
        try:
            self._client = smtplib.SMTP(host, port, timeout=TIMEOUT)
            self._client.ehlo_or_helo_if_needed()
        except (OSError, smtplib.SMTPException) as error:
            hint = "; is `rrpy catch` running?" if isinstance(error, ConnectionRefusedError) else ""
            raise SubmissionError(f"cannot reach {host}:{port}: {_why(error)}{hint}", EX_TEMPFAIL) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            try:
                self._client.quit()
            except (OSError, smtplib.SMTPException):
                self._client.close()

    def submit(self, sender: str, recipients: Sequence[str], content: bytes) -> None:
        """Send one mail. `content`: lines may end in LF. Raises SubmissionError where a recipient is refused."""
        assert self._client is not None
        for address in (sender, *recipients):
            check_text(address, EX_DATAERR)
        options = []
        if not content.isascii() and self._client.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        if not all(address.isascii() for address in (sender, *recipients)):
            if not self._client.has_extn("smtputf8"):
                raise SubmissionError("the server does not take addresses with letters beyond ASCII", EX_UNAVAILABLE)
            options.append("SMTPUTF8")
        try:
            refused = self._client.sendmail(sender, recipients, _EOL.sub(b"\r\n", content), options)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except smtplib.SMTPResponseException as error:
            code = EX_TEMPFAIL if error.smtp_code < 500 else EX_UNAVAILABLE
            raise SubmissionError(f"the server refused the mail: {_why(error)}", code) from None
        except (OSError, smtplib.SMTPException) as error:
            raise SubmissionError(f"the connection to the server broke: {_why(error)}", EX_TEMPFAIL) from None
        if refused:
            later = any(code < 500 for code, _ in refused.values())
            lines = [f"{address}: {code} {_text(reply)}" for address, (code, reply) in refused.items()]
            raise SubmissionError(f"refused: {'; '.join(lines)}", EX_TEMPFAIL if later else EX_NOUSER)


def _why(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return reason_of(error) if isinstance(error, OSError) else str(error)


def _text(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())
