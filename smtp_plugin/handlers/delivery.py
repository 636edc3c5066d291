"""The ways between a handler and the dialog: the backend that calls the hooks, and the lines that AUTH reads."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from typing import Any

from aiosmtpd.smtp import MISSING

from ...container.text import printable
from ..delivery.outcome import FAILED, Outcome, Pending, Running
from ..protocol import replies
from ..protocol.auth import padded
from ..protocol.refusal import Refusal
from ..server.protocols import ServedConnection
from ..session import Envelope, Session
from .status import StandardLog, as_replies, log, normalized, plain
from .verbs import HookedVerbs


class HandlerBackend:
    """Hands messages to an aiosmtpd handler."""

    def __init__(self, server: HookedVerbs) -> None:
        self._server = server

    def connected(self, connection: ServedConnection) -> None:
        """Log the peer, as aiosmtpd does."""
        log.info("Peer: %r", connection.session.peer)

    def disconnected(self, connection: ServedConnection) -> None:
        """Log the end, as aiosmtpd does."""
        log.info("%r connection lost", connection.session.peer)

    def deliver(self, session: Session, envelope: Envelope) -> Pending[Outcome]:
        """Call `handle_DATA`, or the older `process_message`, and turn its status into replies."""
        return Running(self._deliver(session, envelope), StandardLog(), getattr(session, "uuid", ""))

    def report(self, session: Session, refusal: Refusal) -> None:
        """Log a refusal of the server's own."""
        text = refusal.reason or f"{refusal.code} {refusal.reply}"
        log.info("%r refused%s: %s", session.peer, f" {printable(refusal.command)}" if refusal.command else "", text)

    async def _deliver(self, session: Session, envelope: Envelope) -> Outcome:
        server = self._server
        envelope.mail_options = normalized(envelope.mail_options)
        envelope.rcpt_options = normalized(envelope.rcpt_options)
        try:
            if server._decode_data and isinstance(envelope.content, bytes):
                envelope.content = _decoded(envelope.content, utf8=server.enable_SMTPUTF8)
            status = await self._call_handler(session, envelope)
        except UnicodeDecodeError:
            status = "500 Error: strict ASCII mode"
        except ConnectionResetError:  # as in aiosmtpd, the handler's way to end the connection
            server.abort()
            return FAILED
        except Exception as error:
            status = await server.explain(error)
        if status is None or status is MISSING:
            status = plain(replies.OK)
        return Outcome(as_replies(status))

    async def _call_handler(self, session: Session, envelope: Envelope) -> Any:
        server = self._server
        if "DATA" in server._handle_hooks:
            return await server._call_handler_hook("DATA")
        process = getattr(server.event_handler, "process_message", None)
        if process is None:
            return MISSING
        warnings.warn("Use handler.handle_DATA() instead of .process_message()", DeprecationWarning, stacklevel=2)
        status = process(session.peer, envelope.mail_from, envelope.rcpt_tos, envelope.content)
        return await status if inspect.isawaitable(status) else status


class LineReader:
    """The reader of aiosmtpd's AUTH: it gives the dialog's next line."""

    def __init__(self, server: HookedVerbs) -> None:
        self._server = server
        self._line: asyncio.Future[bytes | None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether AUTH waits for the client's next line."""
        return self._line is not None and not self._line.done()

    async def readline(self) -> bytes:
        """Return the client's next line, padded as base64. Raises ConnectionResetError when none will come."""
        server = self._server
        if server.transport is None or server.dialog.closing:
            raise ConnectionResetError("the connection is closed")
        self._line = server.loop.create_future()
        server.dialog.expect_line(self._give)
        server.proceed()
        line = await self._line
        if line is None:
            raise ConnectionResetError("the client gave no line")
        return padded(line) + b"\r\n"

    def _give(self, line: bytes | None) -> None:
        if self._line is not None and not self._line.done():
            self._line.set_result(line)

    def close(self) -> None:
        """End the wait for a line: none will come."""
        self._give(None)


def _decoded(content: bytes, *, utf8: bool) -> str:
    return content.decode("utf-8", "surrogateescape") if utf8 else content.decode("ascii")
