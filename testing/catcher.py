"""The SMTP server for tests: in a thread, on a port of its own. It keeps every mail."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ..container.log import logger
from ..container.net.listening import BoundSockets, listen_addresses
from ..container.text import printable
from ..mime.addresses import Address
from ..mime.check.check import check
from ..mime.check.findings import Finding
from ..mime.extract.codes import CodeError, code_of
from ..mime.extract.links import Link, LinkError, link_of, links_of
from ..mime.matching import Filter, Mail
from ..mime.message import Attachment, Message, parse
from ..smtp_plugin.backend import Backend
from ..smtp_plugin.delivery.outcome import ACCEPTED, Outcome, Pending
from ..smtp_plugin.protocol.refusal import Refusal
from ..smtp_plugin.protocol.rules import Rules
from ..smtp_plugin.server.listener import Listener
from ..smtp_plugin.session import Envelope, Session

REFUSALS: Final = 20
"""Refusals that the error of a missing mail shows, the last ones."""
START_TIMEOUT: Final = 20.0
"""Seconds for the server to start, and to end."""


class CaughtMail(NamedTuple):
    """A mail that the server caught.

    `sender`, `recipients`: of the envelope. `raw`: the bytes as received, dots unstuffed. `helo`: the client's name in
    HELO or EHLO. `username`, `password`: its credentials, empty without AUTH. `parameters`: of MAIL, such as SIZE;
    `recipient_parameters`: of each RCPT, in the order of `recipients`; None for one without a value.
    """

    sender: str
    recipients: Sequence[str]
    raw: bytes
    message: Message
    helo: str = ""
    username: str = ""
    password: str = ""
    parameters: Mapping[str, str | None] = {}
    recipient_parameters: Sequence[Mapping[str, str | None]] = ()

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return self.message.subject

    @property
    def text(self) -> str:
        """The plain text, with LF line ends; empty for none."""
        return self.message.body.replace("\r\n", "\n")

    @property
    def html(self) -> str:
        """The HTML, with LF line ends; empty for none."""
        return self.message.html_body.replace("\r\n", "\n")

    @property
    def text_from_html(self) -> str:
        """The readable text of the HTML, where the mail has no text; else empty."""
        return self.message.text_from_html or ""

    @property
    def from_(self) -> Sequence[Address]:
        """The addresses of the header From, each with `name` and `address`; `sender` is the envelope's."""
        return self.message.from_

    @property
    def to(self) -> Sequence[Address]:
        """The addresses of the header To; `recipients` are the envelope's. `message` has the other headers."""
        return self.message.to

    @property
    def attachments(self) -> Sequence[Attachment]:
        """The attachments: `filename`, `content_type`, `size`, `content()`, which is bytes, and `text()`."""
        return self.message.attachments

    def check(self) -> list[Finding]:
        """Return what is wrong with the mail, the most severe first (docs/reference/check.md)."""
        return check(self.raw)

    @property
    def links(self) -> Sequence[Link]:
        """The links: `href`, `text`, `rel`, `host`, and `kind`, which is `link`, `unsubscribe` or `pixel`."""
        return links_of(self.message)

    def link(self, text: str | None = None, host: str | None = None, pattern: str | None = None) -> Link:
        """Return the one link that fits. Raises AssertionError, which lists the links."""
        __tracebackhide__ = True
        try:
            return link_of(self.message, text, host, pattern)
        except LinkError as error:
            raise AssertionError(str(error)) from None

    def code(self, length: int | None = None, pattern: str | None = None) -> str:
        """Return the code: of a sign-in, a confirmation, a second factor. Raises AssertionError with the candidates.

        `length`: its characters. `pattern`: an expression of RE2 that the whole code fits.
        """
        __tracebackhide__ = True
        try:
            return code_of(self.message, length, pattern)
        except CodeError as error:
            raise AssertionError(str(error)) from None

    def header(self, name: str) -> str | None:
        """Return the first header of this name, decoded; None for none."""
        for found, values in self.message.headers.items():
            if found.lower() == name.lower():
                return values[0]
        return None


class Catcher:
    """An SMTP server that accepts every mail while its `with` block runs.

    `host`, `port`: its address. It listens on `localhost`, so that 127.0.0.1 and ::1 are both right.
    """

    host: Final = "127.0.0.1"
    listen: Final = "localhost:0"

    def __init__(self) -> None:
        self.port = 0
        self._received = threading.Condition()
        self._mails: list[CaughtMail] = []
        self._expected: set[int] = set()
        self._refusals: deque[str] = deque(maxlen=REFUSALS)
        self._thread = threading.Thread(target=self._run, name="rrpy SMTP server", daemon=True)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
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
        if self._loop is not None and self._end is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(START_TIMEOUT)

    @property
    def mails(self) -> list[CaughtMail]:
        """Every mail so far, in order."""
        with self._received:
            return list(self._mails)

    def clear(self) -> None:
        """Forget every mail so far."""
        with self._received:
            self._mails.clear()
            self._expected.clear()
            self._refusals.clear()

    def expect(
        self,
        *,
        to: str | None = None,
        sender: str | None = None,
        subject: str | re.Pattern[str] | None = None,
        timeout: float = 5.0,
    ) -> CaughtMail:
        """Return the first mail that fits and was not returned before; wait for it, at most `timeout` seconds.

        `to`, `sender`, `subject`: as docs/how-to/testing.md has them. `subject` may be a compiled pattern to search in
        it. Raises AssertionError, whose text lists the mails so far, and what the server refused.
        """
        __tracebackhide__ = True
        pattern = subject if isinstance(subject, re.Pattern) else None
        wanted = Filter.of(to, sender, None if isinstance(subject, re.Pattern) else subject)
        deadline = time.monotonic() + timeout
        with self._received:
            while True:
                for number, mail in enumerate(self._mails):
                    if number not in self._expected and _fits(mail, wanted, pattern):
                        self._expected.add(number)
                        return mail
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(self._describe_failure(to, sender, subject, timeout))
                self._received.wait(left)

    def _describe_failure(self, to: str | None, sender: str | None, subject: object, timeout: float) -> str:
        conditions = {"to": to, "sender": sender, "subject": getattr(subject, "pattern", subject)}
        wanted = ", ".join(f"{name}={value!r}" for name, value in conditions.items() if value is not None)
        received = [
            f"  <{mail.sender}> -> {', '.join(mail.recipients)} | {mail.subject}"
            + (" (returned before)" if number in self._expected else "")
            for number, mail in enumerate(self._mails)
        ]
        asked = f" with {wanted}" if wanted else ""
        refused = ["refused:", *self._refusals] if self._refusals else []
        return "\n".join([f"no mail{asked} within {timeout:g} s; received:", *(received or ["  nothing"]), *refused])

    def _note(self, refusal: Refusal) -> None:
        answer = f"{refusal.code} {refusal.reply}" if refusal.code else refusal.reason
        with self._received:
            self._refusals.append(printable(f"  {refusal.command or '-'} | {answer}"))

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
        with self._received:
            self._mails.append(mail)
            self._received.notify_all()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # raised by __enter__
            self._error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        bound = BoundSockets(listen_addresses(self.listen, "rr_smtp"))
        try:
            listener = Listener(
                Rules(max_errors=0, max_message_size=0, max_recipients=0, normalize=True),
                _CatcherBackend(self),
                logger("rr_smtp"),
            )
            await listener.listen(bound)
            self.port = bound.sockets[0].socket.getsockname()[1]
            self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
            self._started.set()
            await self._end.wait()
            await listener.aclose()
        finally:
            bound.close()


class _CatcherBackend(Backend):
    def __init__(self, catcher: Catcher) -> None:
        super().__init__(logger("rr_smtp"))
        self._catcher = catcher

    def deliver(self, session: Session, envelope: Envelope) -> Pending[Outcome]:
        self._catcher._keep(session, envelope)
        return Pending.settled(ACCEPTED)

    def report(self, session: Session, refusal: Refusal) -> None:
        self._catcher._note(refusal)


def _fits(mail: CaughtMail, wanted: Filter, pattern: re.Pattern[str] | None) -> bool:
    fits = wanted.fits(Mail.of(mail.recipients, mail.sender, mail.message))
    return fits and (pattern is None or pattern.search(mail.subject) is not None)
