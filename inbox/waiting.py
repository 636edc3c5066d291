"""Requests that wait for messages. Each new message is compared with their filters in memory, without the store.

A request reads the messages that are there once; `offer` brings it the later ones. Requests that came first get a
message first. What makes it hard: a request may end with fewer messages than it wants. It gives them back then, and the
others that wait under its claim read the messages anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeVar

import anyio

from ..mime.matching import Filter, Mail
from ..mime.message import Message
from .records import Stored, Summary
from .store.results import Found

R = TypeVar("R")

MAX_CLAIMED: Final = 100_000
"""Messages that claims remember. The oldest are forgotten."""
MAX_COUNT: Final = 100
"""Messages of one wait."""
MISSES: Final = 20
"""Messages that did not fit, of those that a failed wait lists: the newest ones."""


class Target(NamedTuple):
    """The messages that a request waits for.

    `after`: they have numbers above this one; None for those that arrive later than the request. `newest`: the newest
    of those that are there, else the oldest. `claim`: no other request of this name gets them; empty for no claim.
    `mailbox`: the one that they are in, None for any.
    """

    wanted: Filter
    after: int | None = 0
    newest: bool = True
    total: int = 1
    claim: str = ""
    mailbox: str | None = None


class Awaited(NamedTuple):
    """A message that a request has waited for. `message`: None for one that was there before the request."""

    id: str
    number: int
    message: Stored | None = None


class Waited(NamedTuple):
    """The end of a wait. `messages`: fewer than are wanted, where the time is over. In `target` `after` is a number."""

    messages: Sequence[Awaited]
    target: Target

    @property
    def is_complete(self) -> bool:
        """Whether all messages came."""
        return len(self.messages) == self.target.total


class Miss(NamedTuple):
    """A message that came instead. `why`: a sentence for each condition that it does not fit; empty where it fits."""

    summary: Summary
    why: Sequence[str]


class Candidate(Protocol):
    """A message of the store. It reads its parts as they are asked for."""

    @property
    def summary(self) -> Summary: ...  # noqa: D102
    @property
    def parsed(self) -> Message: ...  # noqa: D102


class Source(Protocol):
    """The store."""

    @property
    def last(self) -> int:
        """The number of the newest message so far, 0 for none."""
        ...

    def find(
        self,
        fits: Callable[[Candidate], bool],
        after: int,
        before: int | None = None,
        *,
        newest: bool = True,
        mailbox: str | None = None,
    ) -> Found:
        """Return the newest message that fits, or the oldest, of one slice."""
        ...

    def latest(self, after: int, count: int, mailbox: str | None = None) -> Sequence[Candidate]:
        """Return the newest messages with a number above `after`, the oldest first."""
        ...


class Run(Protocol):
    """Runs a function in the store's thread."""

    def __call__(self, work: Callable[[], R], /) -> Awaitable[R]: ...  # noqa: D102


class Claims:
    """The messages that requests have taken, by the names of their claims."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], None] = {}

    def has(self, claim: str, message_id: str) -> bool:
        """Return whether a request of this name has the message."""
        return bool(claim) and (claim, message_id) in self._taken

    def take(self, claim: str, message_id: str) -> bool:
        """Take a message. Return False where a request of this name has it."""
        if not claim:
            return True
        if (claim, message_id) in self._taken:
            return False
        self._taken[claim, message_id] = None
        if len(self._taken) > MAX_CLAIMED:
            del self._taken[next(iter(self._taken))]
        return True

    def give_back(self, claim: str, message_id: str) -> None:
        """Let another request of this name have a message."""
        self._taken.pop((claim, message_id), None)


class Waiter:
    """One request. `got`: its messages so far. `woken`: set when it has all, has to read anew, or the host stops."""

    def __init__(self, target: Target, claims: Claims) -> None:
        self.target = target
        self.got: list[Awaited] = []
        self.woken = anyio.Event()
        self._claims = claims
        # Arrivals come after the messages that are there, where the oldest come first.
        self._held: list[Awaited] | None = None if target.newest or target.after is None else []

    def has_all(self) -> bool:
        """Return whether it has as many messages as it wants."""
        return len(self.got) == self.target.total

    def fits(self, candidate: Candidate) -> bool:
        """Return whether the request waits for a message of the store. Called in the store's thread."""
        summary = candidate.summary
        if self._claims.has(self.target.claim, summary.id) or self._has(summary.id):
            return False
        return self.target.wanted.fits(_mail(summary, lambda: candidate.parsed))

    def offer(self, awaited: Awaited) -> None:
        """Take a new message that fits."""
        if self._held is None:
            self.take(awaited)
        else:
            self._held.append(awaited)

    def take(self, awaited: Awaited) -> None:
        """Take a message that fits, unless the request has all, or another one of its claim has this one."""
        if self.has_all() or self._has(awaited.id) or not self._claims.take(self.target.claim, awaited.id):
            return
        self.got.append(awaited)
        if self.has_all():
            self.woken.set()

    def take_held(self) -> None:
        """Take the messages that have arrived while the request read the others."""
        held, self._held = self._held or (), None
        for awaited in held:
            self.take(awaited)

    def give_back(self) -> None:
        """Give up every message."""
        for awaited in self.got:
            self._claims.give_back(self.target.claim, awaited.id)
        self.got.clear()

    def _has(self, message_id: str) -> bool:
        return any(each.id == message_id for each in self.got)


class Waits:
    """All requests that wait. `run`: runs a function in the store's thread."""

    def __init__(self, source: Source, run: Run) -> None:
        self._source = source
        self._run = run
        self._claims = Claims()
        self._all: dict[Waiter, None] = {}
        self._closed = False

    async def wait(self, target: Target, timeout: float) -> Waited:
        """Return the messages of a target, in the order that it has. Wait for them if need be.

        Fewer, and no claim for them, after `timeout` seconds or when the host stops.
        """
        deadline = anyio.current_time() + timeout
        with self._waiting(target) as waiter:
            after = await self._run(lambda: self._source.last) if target.after is None else target.after
            scans = target.after is not None
            while True:
                if scans:
                    await self._scan(waiter, after)
                waiter.take_held()
                if waiter.has_all() or self._closed:
                    break
                with anyio.CancelScope(deadline=deadline) as scope:
                    await waiter.woken.wait()
                if scope.cancelled_caught or waiter.has_all() or self._closed:
                    break
                waiter.woken = anyio.Event()
                scans = True
            messages = sorted(waiter.got, key=lambda each: each.number, reverse=target.newest)
            return Waited(messages, target._replace(after=after))

    async def misses(self, target: Target) -> Sequence[Miss]:
        """Return the newest messages after `target.after`, the oldest first: why each was not enough."""

        def missed() -> Sequence[Miss]:
            latest = self._source.latest(target.after or 0, MISSES, target.mailbox)
            return [self._missed(target, each) for each in latest]

        return await self._run(missed)

    def interested(self, number: int, mailbox: str) -> Sequence[Waiter]:
        """Return the requests that a new message is for, if it fits: those that came first are first."""
        return [
            each for each in self._all if (each.target.after or 0) < number and each.target.mailbox in (None, mailbox)
        ]

    @property
    def closed(self) -> bool:
        """Whether the host stops."""
        return self._closed

    def close(self) -> None:
        """End every wait: the host stops."""
        self._closed = True
        for waiter in self._all:
            waiter.woken.set()

    @contextmanager
    def _waiting(self, target: Target) -> Iterator[Waiter]:
        waiter = Waiter(target, self._claims)
        self._all[waiter] = None
        complete = False
        try:
            yield waiter
            complete = waiter.has_all()
        finally:
            del self._all[waiter]
            if waiter.got and target.claim and not complete:
                waiter.give_back()
                for other in self._all:
                    if other.target.claim == target.claim:
                        other.woken.set()

    async def _scan(self, waiter: Waiter, after: int) -> None:
        """Give the request the messages that are there."""
        newest, mailbox = waiter.target.newest, waiter.target.mailbox
        before: int | None = None
        while not (waiter.has_all() or self._closed):
            find = partial(self._source.find, waiter.fits, after, before, newest=newest, mailbox=mailbox)
            found = await self._run(find)
            if found.id is not None and found.number is not None:
                waiter.take(Awaited(found.id, found.number))
            if found.next is None:
                return
            if newest:
                before = found.next
            else:
                after = found.next

    def _missed(self, target: Target, candidate: Candidate) -> Miss:
        summary = candidate.summary
        why = target.wanted.why_not(_mail(summary, lambda: candidate.parsed))
        if not why and self._claims.has(target.claim, summary.id):
            why = [f"claim: another request of {target.claim!r} has it"]
        return Miss(summary, why)


class Arrival(NamedTuple):
    """A new message. `message`: returns it parsed."""

    summary: Summary
    stored: Stored
    number: int
    message: Callable[[], Message]

    def fitting(self, waiters: Sequence[Waiter]) -> Sequence[Waiter]:
        """Return the requests that it fits."""
        mail = _mail(self.summary, self.message)
        return [each for each in waiters if each.target.wanted.fits(mail)]

    def offer(self, waiters: Sequence[Waiter]) -> None:
        """Offer it to requests that it fits."""
        for each in waiters:
            each.offer(Awaited(self.summary.id, self.number, self.stored if each.target.total == 1 else None))


def _mail(summary: Summary, message: Callable[[], Message]) -> Mail:
    return Mail(summary.to, summary.sender, summary.subject, summary.header_from, message)
