"""The SMTP server for tests: in a thread, on a port of its own. It keeps every mail."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any, Final

from ..container.log import logger
from ..container.net.listening import BoundSockets, listen_addresses
from ..container.net.tls import server_context
from ..container.text import printable
from ..mime.check.findings import Finding
from ..mime.extract.links import Link
from ..mime.message import Attachment, parse
from ..smtp_plugin.backend import Backend
from ..smtp_plugin.delivery.outcome import ACCEPTED, Outcome, Pending
from ..smtp_plugin.failures.book import RuleBook
from ..smtp_plugin.protocol.failures import Rule
from ..smtp_plugin.protocol.refusal import Refusal
from ..smtp_plugin.protocol.rules import Rules
from ..smtp_plugin.server.listener import Listener
from ..smtp_plugin.session import Envelope, Session
from .mail import CaughtMail
from .mails import Mails

__all__ = ["Attachment", "Catcher", "CaughtMail", "Finding", "Link", "Mailbox"]

START_TIMEOUT: Final = 20.0
"""Seconds for the server to start, and to end."""

Certificate = tuple[str | PathLike[str], str | PathLike[str]]


class Catcher(Mails):
    """An SMTP server that accepts every mail while its `with` block runs.

    `host`, `port`: its address. It listens on `localhost`, so that 127.0.0.1 and ::1 are both right. `port`: 0 for a
    free one. `tls`: the files of a certificate and its key, for STARTTLS; with `implicit_tls` for TLS from the first
    byte. `auth`: passwords by user names; only these may send mail. Without it every AUTH is accepted, and none is
    needed. `lmtp`: speak LMTP. `rules`: by which the server fails on purpose, as docs/how-to/failures.md has them; a
    wrong one raises ValueError.
    """

    host: Final = "127.0.0.1"
    listen: Final = "localhost"

    def __init__(
        self,
        *,
        port: int = 0,
        tls: Certificate | None = None,
        implicit_tls: bool = False,
        auth: Mapping[str, str] | None = None,
        lmtp: bool = False,
        rules: Sequence[Mapping[str, Any] | str] = (),
    ) -> None:
        super().__init__()
        self._failures = RuleBook()
        self._failures.replace(rules)
        self.port = port
        self._boxes: list[Mails] = [self]
        self._tls = _context(tls) if tls is not None else None
        if implicit_tls and tls is None:
            raise ValueError("implicit_tls needs tls, the files of a certificate and its key")
        self._implicit_tls = implicit_tls
        self._rules = Rules(
            max_errors=0,
            max_message_size=0,
            max_recipients=0,
            normalize=True,
            lmtp=lmtp,
            tls_available=tls is not None and not implicit_tls,
            credentials=None if auth is None else _Passwords(auth),
            failures=self._failures.failures,
        )
        self._thread = threading.Thread(target=self._run, name="rrpy SMTP server", daemon=True)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end_serving: asyncio.Event | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> Catcher:
        """Start the server. Raises ListenError, and RuntimeError if it does not start within START_TIMEOUT."""
        self._thread.start()
        if not self._started.wait(START_TIMEOUT):
            raise RuntimeError(f"the SMTP server did not start within {START_TIMEOUT:g} s")
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        """Close the socket and every connection."""
        if self._loop is not None and self._end_serving is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end_serving.set)
            self._thread.join(START_TIMEOUT)

    @contextmanager
    def mailbox(self) -> Iterator[Mailbox]:
        """Yield a mailbox that has the mails, and the refusals, from now to the end of the block."""
        box = Mailbox(self)
        with self._lock:
            self._boxes.append(box)
        try:
            yield box
        finally:
            with self._lock:
                self._boxes.remove(box)

    @contextmanager
    def rule(self, preset: str | None = None, /, **keys: Any) -> Iterator[Rule]:
        """Let the server fail on purpose while the block runs: `with rr_smtp.rule(at="rcpt", reply="452 Full")`.

        `preset`, `keys`: of the rule, as docs/how-to/failures.md has them; `sender` is the key `from`. Yields the rule:
        `hits` is how often it had its effect, `seen` how often its conditions held. Raises ValueError for a wrong one.
        """
        names = {"sender": "from"}
        wanted = {names.get(name, name): value for name, value in keys.items()}
        with self._lock:
            info = self._failures.add(wanted if preset is None else {"preset": preset, **wanted})
            rule = self._failures.running(info.number)
        try:
            yield rule
        finally:
            with self._lock:
                self._failures.remove(info.number)

    def _note(self, refusal: Refusal) -> None:
        answer = f"{refusal.code} {refusal.reply}" if refusal.code else refusal.reason
        line = printable(f"  {refusal.command or '-'} | {answer}")
        with self._lock:
            boxes = list(self._boxes)
        for box in boxes:
            box.add_refusal(line)

    def _keep(self, session: Session, envelope: Envelope) -> None:
        content = envelope.content
        assert isinstance(content, bytes)
        credentials = session.credentials
        mail = CaughtMail(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            raw=content,
            message=parse(content),
            helo=session.helo,
            username=session.username,
            password=credentials.secret.decode("utf-8", "surrogateescape") if credentials else "",
            parameters=dict(envelope.parameters),
            recipient_parameters=tuple(map(dict, envelope.recipients)),
        )
        with self._lock:
            boxes = list(self._boxes)
        for box in boxes:
            box.add(mail)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # raised by __enter__
            self._error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        bound = BoundSockets(listen_addresses(f"{self.listen}:{self.port}", "rr_smtp"))
        try:
            listener = Listener(
                self._rules,
                _CatcherBackend(self),
                logger("rr_smtp"),
                tls_context=None if self._implicit_tls else self._tls,
                implicit_tls=self._tls if self._implicit_tls else None,
            )
            await listener.listen(bound)
            self.port = bound.sockets[0].socket.getsockname()[1]
            self._loop, self._end_serving = asyncio.get_running_loop(), asyncio.Event()
            self._started.set()
            await self._end_serving.wait()
            await listener.aclose()
        finally:
            bound.close()


class Mailbox(Mails):
    """The mails of one test, on a server that several share. `host`, `port`: of the server. `rule`: as its own."""

    def __init__(self, server: Catcher) -> None:
        super().__init__()
        self.host = server.host
        self.port = server.port
        self.rule = server.rule


class _Passwords:
    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = {user: password.encode() for user, password in passwords.items()}

    def __call__(self, user: str, secret: bytes) -> bool:
        return self._passwords.get(user) == secret


class _CatcherBackend(Backend):
    def __init__(self, catcher: Catcher) -> None:
        super().__init__(logger("rr_smtp"))
        self._catcher = catcher

    def deliver(self, session: Session, envelope: Envelope) -> Pending[Outcome]:
        self._catcher._keep(session, envelope)
        return Pending.settled(ACCEPTED)

    def report(self, session: Session, refusal: Refusal) -> None:
        self._catcher._note(refusal)


def _context(certificate: Certificate) -> ssl.SSLContext:
    cert, key = certificate
    return server_context(fspath(cert), fspath(key), "tls")
