"""aiosmtpd's handlers on our server: `SMTP` takes what `aiosmtpd.smtp.SMTP` takes and calls what it calls.

    from rrpy import SMTP

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            print(envelope.mail_from, envelope.rcpt_tos, envelope.content)
            return "250 OK"

    server = await loop.create_server(lambda: SMTP(Handler(), hostname="mx.example"), "127.0.0.1", 8025)

A verb for which the handler has a hook, or a subclass an `smtp_` method, goes aiosmtpd's own way. The dialog delegates
the command; the method runs in a task, and calls the hook. Then the dialog goes on from the session and the envelope as
they are. AUTH, EHLO and HELP always go that way, because aiosmtpd's options and methods rule them. Every other verb,
and every message, is the dialog's. It reads MAIL and RCPT for a hook as well, so that an address means the same on both
ways; the hook's answer decides.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections import defaultdict
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any, Final

from aiosmtpd.proxy_protocol import get_proxy
from aiosmtpd.smtp import ALLOWED_BEFORE_STARTTLS, MISSING, TLSSetupException

from ...container.text import printable
from ..protocol import replies
from ..protocol.phases import Phase
from ..protocol.rules import Rules
from ..protocol.verbs import HANDLERS
from ..server.deadlines import OPENING_TIMEOUT, Timeouts
from ..server.listener import Listener
from ..session import Envelope, Session
from .delivery import HandlerBackend, LineReader
from .status import StandardLog, log, plain
from .verbs import HookedVerbs

AIOSMTPD_NAMES: Final = (
    "_auth_methods",
    "_auth_require_tls",
    "_auth_required",
    "_call_handler_hook",
    "_call_limit_base",
    "_call_limit_default",
    "_create_envelope",
    "_create_session",
    "_decode_data",
    "_ehlo_hook_ver",
    "_enforce_call_limit",
    "_getaddr",
    "_handle_hooks",
    "_handler_coroutine",
    "_proxy_timeout",
    "_reader",
    "_set_rset_state",
    "_smtp_methods",
    "_syntax_available",
    "_timeout_duration",
    "_tls_protocol",
    "_writer",
)
"""The members of aiosmtpd's class that this package uses, and that aiosmtpd does not document.

pyproject.toml pins aiosmtpd to the minor version that the tests run with.
"""

_ALWAYS_DELEGATED: Final = {"AUTH", "EHLO", "HELP"}
_NEEDS_AUTH: Final = {"MAIL", "RCPT", "DATA", "VRFY"}
_NOT_DELEGATED: Final = {"DATA", "STARTTLS", "LHLO", "BDAT"}  # the dialog reads these; a hook follows at the end
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@cache
def _own_name() -> str:
    """Return this machine's name. aiosmtpd looks it up, perhaps in the DNS, for every connection; this does so once."""
    return socket.getfqdn()


class SMTP(HookedVerbs):
    """One connection, which the server's protocol factory makes with a handler and its options, as for aiosmtpd.

    `handler`: the object with the hooks. `options`: those of `aiosmtpd.smtp.SMTP`. Raises what aiosmtpd's constructor
    raises: TypeError, ValueError or RuntimeError for an option or a hook of the wrong kind.
    """

    listener: Listener
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"
    command_size_limits: dict[str, int] = {}  # noqa: RUF012 - aiosmtpd's constructor clears it; here it stays empty

    def __init__(self, handler: Any, **options: Any) -> None:
        options["hostname"] = options.get("hostname") or _own_name()
        super().__init__(handler, **options)
        self._tls_okay = True
        self._tls_protocol: Any = None
        self._calls: MutableMapping[str, int] | None = None
        if self._enforce_call_limit:
            self._calls = defaultdict(lambda: self._call_limit_default, self._call_limit_base)

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

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client."""
        self.listener = Listener(
            self._rules(),
            HandlerBackend(self),
            StandardLog(),
            timeouts=self._timeouts(),
            max_connections=0,
            tls_context=self.tls_context,
            proxy_protocol=self._proxy_timeout is not None,
            trace=_trace,
            loop=self.loop,
        )
        self._reader = LineReader(self)
        self._writer = asyncio.StreamWriter(transport, self, None, self.loop)  # type: ignore[arg-type]
        self._ended = asyncio.Event()
        self._handler_coroutine = self.loop.create_task(self._wait_for_end())
        super().connection_made(transport)
        if isinstance(transport.get_extra_info("sslcontext"), ssl.SSLContext):  # TLS from the first byte
            self.session.ssl = transport.get_extra_info("peercert") or {}
            self.dialog.tls = True
            self._tls_protocol = transport
            self._update_delegated(self.dialog.rules.inside_tls())

    def eof_received(self) -> bool:
        """Answer everything that came before the end; inside TLS a side cannot be kept open (PEP 3156)."""
        log.info("%r EOF received", self.session.peer)
        self._reader.close()
        return super().eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """Let go of everything. A hook under way goes on, except one that waits for the client's next line."""
        self._reader.close()
        super().connection_lost(error)
        self.listener.retire()
        self._writer.close()
        self._ended.set()

    async def _wait_for_end(self) -> None:
        """Wait for the connection's end. A controller that stops cancels every task; this one ends its connection."""
        try:
            await self._ended.wait()
        finally:
            if self.transport is not None:
                self.dialog.close(None)
                self.proceed()
                self._writer.close()

    def check(self, now: float) -> None:
        """Look at the deadlines, also while AUTH waits for the client's next line."""
        if self._reader.waiting and now - self._since >= self.listener.timeouts.read:
            log.info("%r connection timeout", self.session.peer)
            self.kill(replies.TIMEOUT)
            self._reader.close()
        super().check(now)

    def _close(self, transport: asyncio.Transport) -> None:
        super()._close(transport)
        if self.dialog.quit:
            self._ended.set()

    # Fixed when the connection begins.

    def _timeouts(self) -> Timeouts:
        read = float(self._timeout_duration)
        return Timeouts(read=read, data=read, opening=float(self._proxy_timeout or OPENING_TIMEOUT))

    def _rules(self) -> Rules:
        return Rules(
            hostname=self.hostname,
            software=self.__ident__,
            max_message_size=self.data_size_limit or 0,
            max_recipients=0,
            smtputf8=bool(self.enable_SMTPUTF8),
            mechanisms=(),
            tls_available=self.tls_context is not None,
            tls_required=bool(self.require_starttls),
            lmtp="LHLO" in self._smtp_methods,
            delegated=self._delegated_verbs(),
        )

    def _delegated_verbs(self) -> frozenset[bytes]:
        """Return the verbs that go aiosmtpd's way in the present state of TLS."""
        methods = set(self._smtp_methods)
        secured = self._tls_okay and not (self.require_starttls and not self._tls_protocol)
        if self._calls is not None or not secured:
            verbs = {*methods, *HANDLERS} - {"BDAT"}
        else:
            verbs = _ALWAYS_DELEGATED | (set(self._handle_hooks) & methods - _NOT_DELEGATED)
            verbs |= {name for name in methods if name not in HANDLERS or self._is_overridden(f"smtp_{name}")}
            verbs |= {"RSET"} if hasattr(self, "rset_hook") else set()
            verbs |= _NEEDS_AUTH if self._auth_required else set()
            verbs |= {"MAIL", "RCPT", "VRFY"} if self.local_part_limit else set()
        return frozenset(verb.encode() for verb in verbs)

    def _update_delegated(self, rules: Rules) -> None:
        self.dialog.use(replace(rules, delegated=self._delegated_verbs()))

    def _is_overridden(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(SMTP, method, None) or method in self.__dict__

    def _create_envelope(self) -> Envelope:
        return Envelope()

    def _set_rset_state(self) -> None:
        self.dialog.reset(Phase.READY)

    # Delegated commands.

    async def _delegate(self, verb: str, argument: str) -> None:
        try:
            if self._calls is not None and not self._within_limit(verb):
                log.warning("%r over limit for %s", self.session.peer, verb)
                await self.push(f"421 4.7.0 {verb} sent too many times")
                self.dialog.close(None)
            elif _CONTROL.search(argument):
                self.dialog.refuse(replies.BAD_SYNTAX)
            elif not self._tls_okay and verb != "QUIT":
                await self.push("554 Command refused due to lack of security")
            elif self.require_starttls and not self._tls_protocol and verb not in ALLOWED_BEFORE_STARTTLS:
                self.dialog.refuse(replies.TLS_REQUIRED)
            elif verb in self._smtp_methods:
                await self._smtp_methods[verb](argument or None)
            else:
                self.dialog.refuse(replies.UNKNOWN_COMMAND)
        except ConnectionResetError:
            if not self.dialog.closing:
                self.abort()
        except Exception as error:
            await self.push(await self.explain(error))
        finally:
            self._state.on("done")
            if self.transport is not None and self.transport.is_closing():
                self.dialog.close(None)
            self.dialog.command_handled()
            self.proceed()

    def _within_limit(self, verb: str) -> bool:
        assert self._calls is not None
        left = self._calls[verb]
        self._calls[verb] = left - 1
        return left > 0

    async def push(self, status: Any) -> None:
        """Send a reply of a handler's, or of a method of aiosmtpd's, after the dialog's own replies."""
        data = status if isinstance(status, bytes) else str(status).encode("utf-8", "replace")
        if data[:1] in (b"4", b"5"):
            log.info("%r refused: %s", self.session.peer, printable(data.decode("utf-8", "replace")))
        if not self.dialog.closing:
            self.dialog.write(data + b"\r\n")
            self.proceed()

    async def handle_exception(self, error: Exception) -> str:
        """Return the reply to an unexpected exception: the handler's own, or a temporary failure without its text."""
        own = getattr(self.event_handler, "handle_exception", None)
        if own is not None:
            status: str = await own(error)
            return status
        log.error("%r SMTP session exception", self.session.peer, exc_info=error)
        return plain(replies.TEMPORARY_FAILURE)

    async def explain(self, error: Exception) -> str:
        """Return what `handle_exception` answers, or a temporary failure where it fails itself."""
        try:
            return await self.handle_exception(error)
        except Exception:
            log.exception("%r Exception in handle_exception()", self.session.peer)
            return plain(replies.TEMPORARY_FAILURE)

    # TLS and PROXY.

    def _tls_started(self) -> None:
        self._tls_protocol = self.transport
        hook = self._handle_hooks.get("STARTTLS")
        try:
            self._tls_okay = hook is None or bool(hook(self, self.session, self.envelope))
        except Exception:
            log.exception("%r handle_STARTTLS failed", self.session.peer)
            self._tls_okay = False
        self._update_delegated(self.dialog.rules)

    async def _tls_failed(self, error: Exception) -> None:
        failure = TLSSetupException()
        failure.__cause__ = error
        await self.explain(failure)

    async def _take_proxy_header(self, data: Any) -> bool:
        if not data:  # aiosmtpd's own parser says so in the words that its users know
            reader = asyncio.StreamReader(loop=self.loop)
            reader.feed_data(data.whole_raw)
            reader.feed_eof()
            with suppress(asyncio.IncompleteReadError):
                data = await get_proxy(reader)
        self.session.proxy_data = data
        if not data:
            log.warning("%r invalid PROXY handshake", self.session.peer)
            self._writer.close()
            return False
        status = await self._call_handler_hook("PROXY", data)
        if status is MISSING or not status:
            self._writer.close()
            return False
        return True


def _trace(session: Session, line: str) -> None:
    log.info("%r >> %s", session.peer, printable(line))
