"""A handler's status as replies, replies as a handler writes them, options and log lines as aiosmtpd has them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any, Final

from ..protocol import replies
from ..protocol.replies import Reply, clean

log = logging.getLogger("mail.log")
"""Where aiosmtpd logs."""

_XTEXT: Final = ("ENVID", "ORCPT", "AUTH")  # parameters in whose values the case matters
_STATUS: Final = re.compile(r"[2-5]\d\d(?: |-|\Z)")


def plain(reply: Reply) -> str:
    """Return a reply of the server's as a handler would write it, without its end of line."""
    return reply.plain.decode("ascii").rstrip()


def normalized(options: Iterable[str]) -> list[str]:
    """Return parameters of MAIL or RCPT in upper case, as aiosmtpd does, except values in which the case matters."""
    parts = (option.partition("=") for option in options)
    return [f"{key.upper()}{sign}{value if key.upper() in _XTEXT else value.upper()}" for key, sign, value in parts]


def as_replies(status: Any) -> tuple[Reply, ...]:
    """Return a handler's status as replies, one for each of its lines, as a handler for LMTP gives them.

    A status that is not an SMTP reply is a temporary failure.
    """
    text = status.decode("utf-8", "replace") if isinstance(status, bytes) else str(status)
    lines = text.splitlines()
    if not lines or not all(_STATUS.match(line) for line in lines):
        log.error("a handler answered %r, which is not an SMTP reply", text)
        return (replies.TEMPORARY_FAILURE,)
    return tuple(_as_reply(line) for line in lines)


def _as_reply(line: str) -> Reply:
    reply = Reply(int(line[:3]), "", clean(line[4:]), "the handler")
    reply.plain = reply.extended = f"{clean(line)}\r\n".encode("ascii")  # also where another line follows: '250-'
    return reply


class StandardLog:
    """The Logger that a server without a host has: the standard library's `mail.log`, where aiosmtpd logs too."""

    def debug(self, message: str, /, **keys: object) -> None:
        """Log at DEBUG."""
        log.debug("%s %s", message, keys)

    def info(self, message: str, /, **keys: object) -> None:
        """Log at INFO."""
        log.info("%s %s", message, keys)

    def warning(self, message: str, /, **keys: object) -> None:
        """Log at WARNING."""
        log.warning("%s %s", message, keys)

    def error(self, message: str, /, **keys: object) -> None:
        """Log at ERROR."""
        log.error("%s %s", message, keys)

    def exception(self, message: str, /, **keys: object) -> None:
        """Log at ERROR, with the exception under way."""
        log.exception("%s %s", message, keys)

    def enabled(self, level: str) -> bool:
        """Return whether a level is logged."""
        return log.isEnabledFor(logging.getLevelNamesMapping()[level.upper()])
