"""A wait as clients ask for it, by HTTP and by RPC, and how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, Protocol

import msgspec

from ..mime.mailboxes import mailbox_name
from ..mime.matching import Filter, FilterError
from ..mime.misses import Came, report, wanted_text
from .waiting import MAX_COUNT, Awaited, Miss, Target, Waits

MAX_WAIT: Final = 300
"""Seconds of a wait."""
WITHIN: Final = 5.0
"""Seconds of a wait for no message, where the client does not say."""

Seconds = Annotated[float, msgspec.Meta(ge=0, le=MAX_WAIT)]


class Waitable(Protocol):
    """An inbox."""

    @property
    def waits(self) -> Waits: ...  # noqa: D102 - described by its class


class WaitRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wait. docs/how-to/testing.md describes the conditions.

    `header`: `Name: value`, one or several. `after`: a number, only later messages fit; `now` and `latest` mean later
    than the request. `order`: which of those that are there. `count`: a list of so many; null for one message.
    `claim`: no other request of this name gets the message. `none`: succeeds where no message comes `within` seconds.
    `timeout`: seconds. `mailbox`: the one that the message is in; null for any.
    """

    to: str | None = None
    sender: str | None = msgspec.field(name="from", default=None)
    subject: str | None = None
    body: str | None = None
    header: str | Sequence[str] = ()
    after: Annotated[int, msgspec.Meta(ge=0)] | Literal["now", "latest"] = 0
    order: Literal["newest", "oldest"] = "newest"
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_COUNT)] | None = None
    claim: Annotated[str, msgspec.Meta(max_length=100)] = ""
    none: bool = False
    within: Seconds | None = None
    timeout: Seconds | None = None
    mailbox: Annotated[str, msgspec.Meta(min_length=1)] | None = None

    def target(self) -> Target:
        """Return the messages that are meant. Raises FilterError."""
        if self.none:
            for name in ("count", "claim", "timeout"):
                if getattr(self, name):
                    raise FilterError(name, "does not go with none, which takes within")
        elif self.within is not None:
            raise FilterError("within", "goes with none; a wait for a message has timeout")
        wanted = Filter.of(self.to, self.sender, self.subject, self.body, self.header)
        after = self.after if isinstance(self.after, int) else None
        mailbox = mailbox_name(self.mailbox) if self.mailbox else None
        return Target(wanted, after, self.order == "newest", self.count or 1, self.claim, mailbox)

    @property
    def seconds(self) -> float:
        """The seconds that the wait may take."""
        given = self.within if self.none else self.timeout
        return given if given is not None else WITHIN if self.none else 30.0


class WaitFailed(Exception):
    """The messages did not come in time, or one came where none was wanted. The text is one sentence.

    `unwanted`: one came. `misses`: what came instead, the oldest first.
    """

    def __init__(self, sentence: str, misses: Sequence[Miss], *, unwanted: bool) -> None:
        super().__init__(sentence)
        self.misses = misses
        self.unwanted = unwanted

    def report(self) -> str:
        """Return the sentence and what came instead, as lines."""
        came = (Came(each.summary.sender, each.summary.to, each.summary.subject, each.why) for each in self.misses)
        return report(str(self), came)


class HostStops(Exception):
    """The host stops before the wait has ended."""


async def wait(inbox: Waitable, request: WaitRequest) -> Sequence[Awaited]:
    """Return the messages that are wanted, as soon as they are there; none for a wait for none.

    Raises FilterError, WaitFailed, HostStops and StoreError.
    """
    target = request.target()
    waited = await inbox.waits.wait(target, request.seconds)
    if not waited.is_complete and inbox.waits.closed:
        raise HostStops("the host stops")
    if waited.is_complete != request.none:
        return waited.messages
    wanted = wanted_text(target.total, str(target.wanted))
    seconds = f"within {request.seconds:g} s"
    if request.none:
        (found,) = waited.messages
        misses = [each for each in await inbox.waits.misses(waited.target) if each.summary.id == found.id]
        raise WaitFailed(f"a {wanted} came {seconds}", misses, unwanted=True)
    raise WaitFailed(f"no {wanted} {seconds}", await inbox.waits.misses(waited.target), unwanted=False)
