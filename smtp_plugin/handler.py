"""aiosmtpd's handlers on our server: `SMTP` takes what `aiosmtpd.smtp.SMTP` takes and calls what it calls.

    from rrpy import SMTP

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            print(envelope.mail_from, envelope.rcpt_tos, envelope.content)
            return "250 OK"

    server = await loop.create_server(lambda: SMTP(Handler(), hostname="mx.example"), "127.0.0.1", 8025)

A verb for which the handler brings its own hook, or a subclass its own `smtp_` method, goes aiosmtpd's own way: our
dialog hands the command over, aiosmtpd's method runs in a task and its hooks with it, and the dialog goes on from what
they left in the session and the envelope. AUTH and EHLO always go that way, because aiosmtpd's options rule them. Every
other verb, and the reading of every message, is the dialog's.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import defaultdict
from collections.abc import Awaitable, MutableMapping
from typing import Any, Final

from aiosmtpd.smtp import MISSING, TLSSetupException

from . import replies
from .listener import Listener
from .replies import Reply, custom
from .rules import Rules
from .server import Connection
from .session import Envelope, Session
from .verbs import HANDLERS

_log = logging.getLogger("mail.log")
_ALWAYS: Final = {"AUTH", "EHLO"}
_NEEDS_AUTH: Final = {"HELO", "MAIL", "RCPT", "DATA", "HELP", "VRFY"}
_OURS: Final = {"DATA", "STARTTLS", "LHLO", "BDAT"}  # the dialog reads these; their hooks are called at their end


class SMTP(Connection):
    """One connection, made as aiosmtpd makes it: by the server's protocol factory, with a handler and its options."""

    command_size_limits: dict[str, int] = {}  # noqa: RUF012 - aiosmtpd's constructor clears it; here it stays empty

    def __init__(self, handler: Any, **options: Any) -> None:
        super().__init__(handler, **options)
        self._prepare()
        self._tls_okay = True
        self._calls: MutableMapping[str, int] | None = None
        if self._enforce_call_limit:
            self._calls = defaultdict(lambda: self._call_limit_default, self._call_limit_base)
        self.session: Any = None

    # The state is the dialog's; aiosmtpd's constructor, before there is one, sets None.

    @property
    def session(self) -> Any:
        """The connection's session; None before the connection."""
        dialog = self.__dict__.get("dialog")
        return dialog.session if dialog is not None else None

    @session.setter
    def session(self, session: Any) -> None:
        if "dialog" in self.__dict__:
            self.dialog.session = session

    @property
    def envelope(self) -> Any:
        """The transaction under way; None before the connection."""
        dialog = self.__dict__.get("dialog")
        return dialog.envelope if dialog is not None else None

    @envelope.setter
    def envelope(self, envelope: Any) -> None:
        if "dialog" in self.__dict__:
            self.dialog.envelope = envelope

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client."""
        self.loop = asyncio.get_running_loop()
        self.listener = Listener(
            self._rules(),
            _HandlerBackend(self),
            _StandardLog(),
            read_timeout=float(self._timeout_duration),
            max_connections=0,
            tls_context=self.tls_context,
            proxy_protocol=self._proxy_timeout is not None,
        )
        if self._proxy_timeout is not None:
            self.listener.read_timeout = float(self._proxy_timeout)
        self._reader = _Lines(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Let go of everything, with the task that runs the handler."""
        self._reader.close()
        super().connection_lost(error)
        self.listener.retire()

    def _rules(self) -> Rules:
        return Rules(
            hostname=self.hostname,
            software=self.__ident__,
            max_message_size=self.data_size_limit or 0,
            max_recipients=0,
            max_errors=0,
            smtputf8=bool(self.enable_SMTPUTF8),
            mechanisms=(),
            tls_available=self.tls_context is not None,
            tls_required=bool(self.require_starttls),
            delegated=frozenset(verb.encode() for verb in self._delegated_verbs()),
        )

    def _delegated_verbs(self) -> set[str]:
        """Return the verbs that go aiosmtpd's way."""
        if self._calls is not None:
            return {*self._smtp_methods, *HANDLERS} - {"BDAT"}
        own = {name for name in self._smtp_methods if self._is_overridden(f"smtp_{name}") or name not in HANDLERS}
        hooked = set(self._handle_hooks) & set(self._smtp_methods)
        legacy = {"RSET"} if hasattr(self, "rset_hook") else set()
        guarded = _NEEDS_AUTH if self._auth_required else set()
        limited = {"MAIL", "RCPT", "VRFY"} if self.local_part_limit else set()
        verbs: set[str] = _ALWAYS | own | legacy | guarded | limited | (hooked - _OURS)
        return verbs

    def _is_overridden(self, method: str) -> bool:
        ours = getattr(SMTP, method, None)
        return getattr(type(self), method) is not ours or method in self.__dict__

    def _create_session(self) -> Session:
        assert self.transport is not None
        return Session(self.loop, self.transport.get_extra_info("peername"))

    def _create_envelope(self) -> Envelope:
        return Envelope()

    # aiosmtpd's way.

    async def _delegate(self, verb: str, argument: str) -> None:
        self._handler_coroutine = asyncio.current_task()
        try:
            if self._calls is not None and not self._within_limit(verb):
                self.dialog.close(Reply(421, "4.7.0", f"{verb} sent too many times", "aiosmtpd"))
                return
            method = self._smtp_methods.get(verb)
            if method is None:
                self.dialog.refuse(replies.UNKNOWN_COMMAND)
            elif not self._tls_okay and verb != "QUIT":
                await self.push("554 Command refused due to lack of security")
            else:
                await method(argument or None)
        except (asyncio.CancelledError, ConnectionError):
            self.abort_unless_closing()
            raise
        except Exception as error:
            await self.push(await self._explained(error))
            if isinstance(error, TLSSetupException):
                self.abort()
        finally:
            self._busy = False
            self.dialog.settle()
            self._pump()

    def abort_unless_closing(self) -> None:
        """Close the socket, unless its last words are being sent."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()

    def _within_limit(self, verb: str) -> bool:
        assert self._calls is not None
        left = self._calls[verb]
        self._calls[verb] = left - 1
        return left > 0

    async def push(self, status: Any) -> None:
        """Send a reply that a handler, or a method of aiosmtpd's, gives."""
        if self.transport is not None:
            data = status if isinstance(status, bytes) else str(status).encode("utf-8", "replace")
            self.transport.write(data + b"\r\n")
            self._deadline = self.loop.time() + self.listener.read_timeout

    async def handle_exception(self, error: Exception) -> str:
        """Return the reply to an unexpected exception: the handler's own, or a temporary failure without its text."""
        own = getattr(self.event_handler, "handle_exception", None)
        if own is not None:
            status: str = await own(error)
            return status
        _log.exception("%r SMTP session exception", self.session.peer)
        return replies.TEMPORARY_FAILURE.plain.decode().strip()

    async def _explained(self, error: Exception) -> str:
        try:
            return await self.handle_exception(error)
        except Exception:
            _log.exception("%r Exception in handle_exception()", self.session.peer)
            return replies.TEMPORARY_FAILURE.plain.decode().strip()

    async def smtp_EHLO(self, hostname: str) -> None:
        """Offer what the dialog can do, and AUTH where aiosmtpd's options allow it; `handle_EHLO` may change it."""
        session = self.session
        if not hostname:
            await self.push("501 Syntax: EHLO hostname")
            return
        self._set_rset_state()
        session.extended_smtp = True
        lines = [f"250-{line}" for line in (self.hostname, *self.dialog.rules.extensions())]
        if not self._auth_require_tls or self.dialog.tls:
            lines.insert(-1, "250-AUTH " + " ".join(sorted(self._auth_methods)))
        if hasattr(self, "ehlo_hook"):
            await self.ehlo_hook()
        lines[-1] = "250 HELP"
        if self._ehlo_hook_ver is None:
            session.host_name = hostname
        elif self._ehlo_hook_ver == "old":
            lines = [*(line.replace("250 ", "250-", 1) for line in lines[:-1])]
            for line in lines:
                await self.push(line)
            lines = [await self._call_handler_hook("EHLO", hostname)]
        else:
            lines = await self._call_handler_hook("EHLO", hostname, lines)
        for line in lines:
            await self.push(line)

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Authenticate as aiosmtpd does; TLS from the first byte counts as TLS, and a mechanism's name has no case."""
        if self.envelope.mail_from is not None:
            await self.push(replies.AUTH_IN_TRANSACTION.plain.decode().strip())
            return
        if arg:
            mechanism, blank, rest = arg.partition(" ")
            arg = mechanism.upper() + blank + rest
        requires_tls, self._auth_require_tls = self._auth_require_tls, self._auth_require_tls and not self.dialog.tls
        try:
            await super().smtp_AUTH(arg)
        finally:
            self._auth_require_tls = requires_tls

    async def smtp_DATA(self, arg: str | None) -> None:
        """Begin a message; it is the dialog that reads it."""
        if not (await self.check_helo_needed() or await self.check_auth_needed("DATA")):
            self.dialog.run("DATA", (arg or "").encode())

    async def smtp_STARTTLS(self, arg: str | None) -> None:
        """Upgrade to TLS; it is the dialog that does it."""
        self.dialog.run("STARTTLS", (arg or "").encode())

    def _tls_started(self) -> None:
        hook = self._handle_hooks.get("STARTTLS")
        self._tls_protocol = self.transport
        self._tls_okay = hook is None or bool(hook(self, self.session, self.envelope))

    async def _proxied(self, data: Any) -> bool:
        self.session.proxy_data = data
        self.listener.read_timeout = float(self._timeout_duration)
        if not data:
            return False
        status = await self._call_handler_hook("PROXY", data)
        return status is not MISSING and bool(status)


class _HandlerBackend:
    """Hands messages to an aiosmtpd handler."""

    def __init__(self, server: SMTP) -> None:
        self._server = server

    def connected(self, connection: Connection) -> None:
        """Log the peer, as aiosmtpd does."""
        _log.info("Peer: %r", connection.session.peer)

    def disconnected(self, connection: Connection) -> None:
        """Log the end, as aiosmtpd does."""
        _log.info("%r connection lost", connection.session.peer)

    def deliver(self, session: Session, envelope: Envelope) -> Awaitable[Reply]:
        """Call `handle_DATA`, or the older `process_message`, and turn its status into a reply."""
        return self._deliver(session, envelope)

    async def _deliver(self, session: Session, envelope: Envelope) -> Reply:
        server = self._server
        try:
            if server._decode_data and isinstance(envelope.content, bytes):
                strict = not server.enable_SMTPUTF8
                try:
                    envelope.content = envelope.content.decode(
                        "ascii" if strict else "utf-8", "strict" if strict else "surrogateescape"
                    )
                except UnicodeDecodeError:
                    return Reply(500, "", "Error: strict ASCII mode", "aiosmtpd")
            if "DATA" in server._handle_hooks:
                status = await server._call_handler_hook("DATA")
            elif hasattr(server.event_handler, "process_message"):
                status = server.event_handler.process_message(
                    session.peer, envelope.mail_from, envelope.rcpt_tos, envelope.content
                )
                if inspect.isawaitable(status):
                    status = await status
            else:
                status = None
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:
            status = await server._explained(error)
        return replies.OK if status is None or status is MISSING else _as_reply(status)


def _as_reply(status: Any) -> Reply:
    text = status.decode("utf-8", "replace") if isinstance(status, bytes) else str(status)
    code, _, rest = text.partition(" ")
    try:
        return custom(int(code), rest, "the handler")
    except ValueError:
        _log.error("a handler answered %r, which is no SMTP reply", text)
        return replies.TEMPORARY_FAILURE


class _Lines:
    """What aiosmtpd's AUTH reads lines from: the dialog's, one at a time."""

    def __init__(self, server: SMTP) -> None:
        self._server = server
        self._wanted: asyncio.Future[bytes] | None = None

    async def readline(self) -> bytes:
        """Return the client's next line, b'' at its end."""
        server = self._server
        self._wanted = server.loop.create_future()
        server.dialog.want_line(self._give)
        return await self._wanted

    def _give(self, line: bytes) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(line)

    def close(self) -> None:
        """End: whoever waits gets the end of the stream."""
        self._give(b"")


class _StandardLog:
    """The Logger that a server without a host has: the standard library's `mail.log`, where aiosmtpd logs too."""

    def debug(self, message: str, /, **keys: object) -> None:
        _log.debug("%s %s", message, keys)

    def info(self, message: str, /, **keys: object) -> None:
        _log.info("%s %s", message, keys)

    def warning(self, message: str, /, **keys: object) -> None:
        _log.warning("%s %s", message, keys)

    def error(self, message: str, /, **keys: object) -> None:
        _log.error("%s %s", message, keys)

    def exception(self, message: str, /, **keys: object) -> None:
        _log.exception("%s %s", message, keys)

    def enabled(self, level: str) -> bool:
        return _log.isEnabledFor(logging.getLevelName(level))
