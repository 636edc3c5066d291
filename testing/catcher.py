"""The SMTP server that tests run: in a thread, on a port of its own, keeping all that it gets."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from ..container.log import logger
from ..container.net.address import TCPAddress
from ..container.net.sockets import BoundSocket
from ..mime.message import Attachment, Message, parse
from ..smtp_plugin.backend import Backend
from ..smtp_plugin.delivery.outcome import ACCEPTED, Outcome, Pending
from ..smtp_plugin.protocol.rules import Rules
from ..smtp_plugin.server.listener import Listener
from ..smtp_plugin.session import Envelope, Session

START: Final = 20.0
"""Seconds that the server has to come up, and to end."""


class CaughtMail(NamedTuple):
    """A mail that was caught.

    `sender`, `recipients`: of the envelope. `raw`: as it came, dots unstuffed. `helo`, `username`, `password`: what the
    client said of itself; empty without AUTH.
    """

    sender: str
    recipients: Sequence[str]
    raw: bytes
    message: Message
    helo: str = ""
    username: str = ""
    password: str = ""

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
    def attachments(self) -> Sequence[Attachment]:
        """The attachments: `filename`, `content_type`, `size`, and `content()`, which is bytes."""
        return self.message.attachments

    def header(self, name: str) -> str | None:
        """Return the first header of this name, decoded; None for none."""
        for found, values in self.message.headers.items():
            if found.lower() == name.lower():
                return values[0]
        return None


class Catcher:
    """An SMTP server that accepts everything, from entering to leaving. `host`, `port`: where it listens."""

    host: Final = "127.0.0.1"

    def __init__(self) -> None:
        self.port = 0
        self._news = threading.Condition()
        self._mails: list[CaughtMail] = []
        self._expected: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="rrpy SMTP server", daemon=True)
        self._up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._fault: BaseException | None = None

    def __enter__(self) -> Catcher:
        """Start. Raises ListenError, and RuntimeError for a server that does not come up."""
        self._thread.start()
        if not self._up.wait(START):
            raise RuntimeError(f"the SMTP server did not come up within {START:g} s")
        if self._fault is not None:
            raise self._fault
        return self

    def __exit__(self, *_: object) -> None:
        """Close the socket and every connection."""
        if self._loop is not None and self._end is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(START)

    @property
    def mails(self) -> list[CaughtMail]:
        """Everything that was caught, in order."""
        with self._news:
            return list(self._mails)

    def clear(self) -> None:
        """Forget what was caught."""
        with self._news:
            self._mails.clear()
            self._expected.clear()

    def expect(
        self,
        *,
        to: str | None = None,
        sender: str | None = None,
        subject: str | re.Pattern[str] | None = None,
        timeout: float = 5.0,
    ) -> CaughtMail:
        """Return the first mail that fits and was not returned before; wait for it, at most `timeout` seconds.

        `to`: one of its recipients. `subject`: the whole of it, or a pattern to be found in it. Raises AssertionError,
        which tells what came instead.
        """
        __tracebackhide__ = True
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                for number, mail in enumerate(self._mails):
                    if number not in self._expected and _fits(mail, to, sender, subject):
                        self._expected.add(number)
                        return mail
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(self._told(to, sender, subject, timeout))
                self._news.wait(left)

    def _told(self, to: str | None, sender: str | None, subject: object, timeout: float) -> str:
        asked = {"to": to, "sender": sender, "subject": getattr(subject, "pattern", subject)}
        wanted = ", ".join(f"{name}={value!r}" for name, value in asked.items() if value is not None)
        came = [
            f"  <{mail.sender}> -> {', '.join(mail.recipients)} | {mail.subject}"
            + (" (returned before)" if number in self._expected else "")
            for number, mail in enumerate(self._mails)
        ]
        return "\n".join(
            [f"no mail{f' with {wanted}' if wanted else ''} within {timeout:g} s; what came:", *(came or ["  nothing"])]
        )

    def _caught(self, session: Session, envelope: Envelope) -> None:
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
        )
        with self._news:
            self._mails.append(mail)
            self._news.notify_all()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # it is told to whoever waits for the start
            self._fault = error
        finally:
            self._up.set()

    async def _serve(self) -> None:
        bound = BoundSocket(TCPAddress(self.host, 0), owner="rr_smtp")
        try:
            listener = Listener(
                Rules(max_errors=0, max_message_size=0, max_recipients=0), _Keeping(self), logger("rr_smtp")
            )
            await listener.listen(bound)
            self.port = bound.socket.getsockname()[1]
            self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
            self._up.set()
            await self._end.wait()
            await listener.aclose()
        finally:
            bound.close()


class _Keeping(Backend):
    def __init__(self, catcher: Catcher) -> None:
        super().__init__(logger("rr_smtp"))
        self._catcher = catcher

    def deliver(self, session: Session, envelope: Envelope) -> Pending[Outcome]:
        self._catcher._caught(session, envelope)
        return Pending.settled(ACCEPTED)


def _fits(mail: CaughtMail, to: str | None, sender: str | None, subject: str | re.Pattern[str] | None) -> bool:
    if to is not None and to not in mail.recipients:
        return False
    if sender is not None and sender != mail.sender:
        return False
    if isinstance(subject, re.Pattern):
        return subject.search(mail.subject) is not None
    return subject is None or subject == mail.subject
