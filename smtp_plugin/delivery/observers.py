"""The interface for plugins that observe mail: the server calls them for every message, before it answers the client.

Without a worker (`deliver: log`) only an observer keeps the message. So one that raises makes the reply a temporary
refusal, and the client keeps the mail. After a worker's verdict the reply stands, and the exception is only logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from ...container.protocols import Logger
from ...mime.message import Message, parse
from .event import Arrival
from .refusals import RefusalReport

TRANSCRIPT_LINES: Final = 500
"""The last lines of a session that its transcript keeps."""


class ReceivedMail(Arrival, frozen=True, dict=True, kw_only=True):
    """One message, as the client sent it.

    `content`: byte for byte, dots unstuffed. `code`, `reply`: the answer to the client. `reason`: of an answer that no
    worker gave. `transcript`: the lines of the session since the message before it, with the reply and without secrets,
    at most the last `TRANSCRIPT_LINES`; a line begins with `C: ` or `S: `, for the client or the server.
    """

    content: bytes
    code: int
    reply: str
    reason: str
    transcript: Sequence[str]

    @property
    def message(self) -> Message:
        """The message, parsed at the first access. Parse a large one in a thread."""
        # Not functools.cached_property: before Python 3.12 its lock lets one message of all be parsed at a time.
        found: Message | None = self.__dict__.get("parsed")
        if found is None:
            found = self.__dict__["parsed"] = parse(self.content)
        return found


class MailObserver(Protocol):
    """A plugin that observes mail. It starts before the SMTP plugin and stops after it."""

    async def mail_received(self, mail: ReceivedMail) -> None:
        """Take a message. Its client waits for its reply until this returns."""
        ...


class RefusalObserver(Protocol):
    """A plugin that observes refusals. It starts before the SMTP plugin and stops after it."""

    def mail_refused(self, refused: RefusalReport) -> None:
        """Take a refusal, at once: the client waits for its reply."""
        ...


class Observers:
    """The observers, in the order of their start."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._all: list[MailObserver] = []
        self._of_refusals: list[RefusalObserver] = []

    def add(self, observer: MailObserver) -> None:
        """Add an observer."""
        self._all.append(observer)

    def add_for_refusals(self, observer: RefusalObserver) -> None:
        """Add an observer of refusals."""
        self._of_refusals.append(observer)

    def __bool__(self) -> bool:
        """Whether there is an observer of mail."""
        return bool(self._all)

    async def notify(self, mail: ReceivedMail) -> bool:
        """Call every observer; return whether each has taken the message."""
        taken = True
        for observer in self._all:
            try:
                await observer.mail_received(mail)
            except Exception:
                self._log.exception("observer failed", observer=_name(observer), uuid=mail.uuid, id=mail.id)
                taken = False
        return taken

    def notify_of_refusal(self, refused: RefusalReport) -> None:
        """Call every observer of refusals."""
        for observer in self._of_refusals:
            try:
                observer.mail_refused(refused)
            except Exception:
                self._log.exception("observer failed", observer=_name(observer), uuid=refused.uuid)


def _name(observer: object) -> str:
    return str(getattr(observer, "name", type(observer).__name__))
