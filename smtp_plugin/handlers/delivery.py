"""What `handler.SMTP` needs around it: the backend that calls a handler, the lines that AUTH reads, the log."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import warnings
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any, Final

from aiosmtpd.smtp import MISSING

from ..protocol import replies
from ..protocol.replies import Reply, clean
from ..server.connection import Connection
from ..session import Envelope, Session

if TYPE_CHECKING:
    from .smtp import SMTP

log = logging.getLogger("mail.log")
"""Where aiosmtpd logs."""

_XTEXT: Final = ("ENVID", "ORCPT", "AUTH")  # parameters whose values mean what their case says
_STATUS: Final = re.compile(r"[2-5]\d\d(?: |-|\Z)")


class HandlerBackend:
    """Hands messages to an aiosmtpd handler."""

    def __init__(self, server: SMTP) -> None:
        self._server = server

    def connected(self, connection: Connection) -> None:
        """Log the peer, as aiosmtpd does."""
        log.info("Peer: %r", connection.session.peer)

    def disconnected(self, connection: Connection) -> None:
        """Log the end, as aiosmtpd does."""
        log.info("%r connection lost", connection.session.peer)

    def deliver(self, session: Session, envelope: Envelope) -> Awaitable[list[Reply]]:
        """Call `handle_DATA`, or the older `process_message`, and turn its status into a reply."""
        return self._deliver(session, envelope)

    async def _deliver(self, session: Session, envelope: Envelope) -> list[Reply]:
        server = self._server
        envelope.mail_options = normalized(envelope.mail_options)
        envelope.rcpt_options = normalized(envelope.rcpt_options)
        try:
            if server._decode_data and isinstance(envelope.content, bytes):
                envelope.content = _decoded(envelope.content, utf8=server.enable_SMTPUTF8)
            status = await self._ask(session, envelope)
        except UnicodeDecodeError:
            status = "500 Error: strict ASCII mode"
        except ConnectionResetError:  # as in aiosmtpd, the handler's way to end the connection
            server.abort()
            return [replies.TEMPORARY_FAILURE]
        except Exception as error:
            status = await server.explain(error)
        if status is None or status is MISSING:
            status = plain(replies.OK)
        return as_replies(status)

    async def _ask(self, session: Session, envelope: Envelope) -> Any:
        server = self._server
        if "DATA" in server._handle_hooks:
            return await server._call_handler_hook("DATA")
        process = getattr(server.event_handler, "process_message", None)
        if process is None:
            return MISSING
        warnings.warn("Use handler.handle_DATA() instead of .process_message()", DeprecationWarning, stacklevel=2)
        status = process(session.peer, envelope.mail_from, envelope.rcpt_tos, envelope.content)
        return await status if inspect.isawaitable(status) else status


class Lines:
    """What aiosmtpd's AUTH reads lines from: the dialog's, one at a time."""

    def __init__(self, server: SMTP) -> None:
        self._server = server
        self._wanted: asyncio.Future[bytes | None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for the client's next line."""
        return self._wanted is not None and not self._wanted.done()

    async def readline(self) -> bytes:
        """Return the client's next line. Raises ConnectionResetError when none will come."""
        server = self._server
        if server.transport is None or server.dialog.closing:
            raise ConnectionResetError("the connection is closed")
        self._wanted = server.loop.create_future()
        server.dialog.expect_line(self._give)
        server._pump()
        line = await self._wanted
        if line is None:
            raise ConnectionResetError("the client gave no line")
        return line + b"\r\n"

    def _give(self, line: bytes | None) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(line)

    def close(self) -> None:
        """Say that no line will come to whoever waits for one."""
        self._give(None)


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
        """Say whether a level is logged."""
        return log.isEnabledFor(logging.getLevelNamesMapping()[level.upper()])


def plain(reply: Reply) -> str:
    """Return a reply of ours as a handler would write it, without its end of line."""
    return reply.plain.decode("ascii").rstrip()


def normalized(options: Iterable[str]) -> list[str]:
    """Return parameters of MAIL or RCPT in upper case, as aiosmtpd does; but for values that this would destroy."""
    parts = (option.partition("=") for option in options)
    return [f"{key.upper()}{sign}{value if key.upper() in _XTEXT else value.upper()}" for key, sign, value in parts]


def as_replies(status: Any) -> list[Reply]:
    """Turn a handler's status into replies, one for each of its lines, as a handler for LMTP gives them.

    What is no SMTP status is a temporary failure.
    """
    text = status.decode("utf-8", "replace") if isinstance(status, bytes) else str(status)
    lines = text.splitlines()
    if not lines or not all(_STATUS.match(line) for line in lines):
        log.error("a handler answered %r, which is no SMTP reply", text)
        return [replies.TEMPORARY_FAILURE]
    given = []
    for line in lines:
        reply = Reply(int(line[:3]), "", clean(line[4:]), "the handler")
        reply.plain = reply.extended = f"{clean(line)}\r\n".encode("ascii")  # also where it goes on: '250-'
        given.append(reply)
    return given


def _decoded(content: bytes, *, utf8: bool) -> str:
    return content.decode("utf-8", "surrogateescape") if utf8 else content.decode("ascii")
