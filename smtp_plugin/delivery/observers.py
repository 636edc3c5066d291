"""The door for plugins that want to see mail: they are called for every message, before its client is answered.

Without a worker (`deliver: log`) nobody else keeps the message, so an observer that raises makes it a temporary
refusal: the client still has it. Behind a worker's verdict an observer changes nothing any more, and what it raises is
logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, Protocol

from ...container.protocols import Logger
from ...mime.message import Message, parse
from .event import Arrival

TRANSCRIPT_LINES: Final = 500
"""Lines of a session's transcript that are kept, the last ones."""


class ReceivedMail(Arrival, frozen=True, dict=True):
    r"""One message as it came in.

    `content`: byte for byte, dots unstuffed. `code`, `reply`: what the client is to be told. `reason`: why, where
    no worker decided it. `transcript`: the session up to the message, `C: ` and `S: ` in front of who said it, without
    secrets; the last `TRANSCRIPT_LINES` lines.
    """

    content: bytes
    code: int
    reply: str
    reason: str
    transcript: Sequence[str]

    @cached_property
    def message(self) -> Message:
        """The message, parsed when it is first asked for. A large one takes long enough to belong into a thread."""
        return parse(self.content)


class MailObserver(Protocol):
    """A plugin that wants to see mail. It starts before the SMTP plugin and stops after it."""

    async def mail_received(self, mail: ReceivedMail) -> None:
        """Take notice of a message. Its client waits for its reply until this returns."""
        ...


class Observers:
    """Those who want to see mail."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._all: list[MailObserver] = []

    def add(self, observer: MailObserver) -> None:
        """Tell one more of them."""
        self._all.append(observer)

    def __bool__(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._all)

    async def notify(self, mail: ReceivedMail) -> bool:
        """Tell them all, in the order of their start; say whether every one has taken it."""
        taken = True
        for observer in self._all:
            try:
                await observer.mail_received(mail)
            except Exception:
                name = getattr(observer, "name", type(observer).__name__)
                self._log.exception("observer failed", observer=name, uuid=mail.uuid, id=mail.id)
                taken = False
        return taken
