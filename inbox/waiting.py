"""Requests that wait for messages. Each new message is compared with their filters in memory, without the store.

A request reads the messages that are there once; `offer` brings it the later ones. Requests that came first get a
message first. What makes it hard: a request may end with fewer messages than it wants. It gives them back then, and the
others that wait under its claim read the messages anew.
A regular expression may take seconds for a mail. So those that have one compare nothing while mail is stored: an
arrival lets them read anew, and a thread of their own compares, one message at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeVar

import anyio
import anyio.to_thread

from ..mime.matching import Filter, Mail
from ..mime.message import Message
from .claims import Claims
from .records import Stored, Summary
from .store.results import Found

R = TypeVar("R")

MAX_COUNT: Final = 100
"""Messages of one wait."""
MISSES: Final = 20
"""Messages that did not fit, of those that a failed wait lists: the newest ones."""
COMPARING: Final = 3.0
"""Seconds after which a failed wait lists no more of them."""


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
    def number(self) -> int: ...  # noqa: D102
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


class Waiter:
    """One request. `got`: its messages so far. `woken`: set when it has all, has to read anew, or the host stops.

    `seen`: it need not compare the messages up to this number again. `searches`: it has an expression. `is_slow`: as
    its filter says. `after`, `mailbox`: of its target, 0 for None.
    """

    def __init__(self, target: Target, claims: Claims) -> None:
        self.target = target
        self.after = target.after or 0
        self.mailbox = target.mailbox
        self.searches = target.wanted.has_expression
        self.is_slow = target.wanted.is_slow
        self.got: list[Awaited] = []
        self.woken = anyio.Event()
        self.seen = 0
        self._claims = claims
        # Arrivals come after the messages that are there, where the oldest come first.
        self._held: list[Awaited] | None = None if target.newest or target.after is None else []

    def has_all(self) -> bool:
        """Return whether it has as many messages as it wants."""
        return len(self.got) == self.target.total

    def fits(self, candidate: Candidate) -> bool:
        """Return whether the request waits for a message of the store. Called in the store's thread."""
        return self.may_take(candidate.summary.id) and self.target.wanted.fits(_lazy(candidate))

    def may_take(self, message_id: str) -> bool:
        """Return whether neither the request nor another one of its claim has a message."""
        return not (self._claims.has(self.target.claim, message_id) or self._has(message_id))

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
    """All requests that wait. `run`: runs a function in the store's thread. `ready`: waits for mail on its way."""

    def __init__(self, source: Source, run: Run, ready: Callable[[], Awaitable[None]]) -> None:
        self._source = source
        self._run = run
        self._ready = ready
        self._claims = Claims()
        self._comparing = anyio.CapacityLimiter(1)
        self._all: dict[Waiter, None] = {}
        self._closed = False

    async def wait(self, target: Target, timeout: float) -> Waited:
        """Return the messages of a target, in the order that it has. Wait for them if need be.

        Fewer, and no claim for them, after `timeout` seconds or when the host stops.
        """
        deadline = anyio.current_time() + timeout
        await self._ready()  # mail from before the request must not count as later
        with self._waiting(target) as waiter:
            after = await self._run(lambda: self._source.last) if target.after is None else target.after
            scans = target.after is not None
            while True:
                if scans and target.wanted.has_expression:
                    await self._scan_slowly(waiter, after, deadline)
                elif scans:
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

        def latest() -> Sequence[int]:
            return [each.number for each in self._source.latest(target.after or 0, MISSES, target.mailbox)]

        found: list[Miss] = []
        ends = anyio.current_time() + COMPARING
        for number in reversed(await self._run(latest)):
            if found and anyio.current_time() > ends:
                break
            read = _Read(target.wanted)
            await self._run(partial(self._source.find, read, number - 1, number + 1, mailbox=target.mailbox))
            if read.mail is not None:
                found.append(
                    self._missed(
                        target, read.summary, await self._compare(target.wanted, target.wanted.why_not, read.mail)
                    )
                )
        return found[::-1]

    def interested(self, number: int, mailbox: str) -> Sequence[Waiter]:
        """Return the requests that a new message is for, if it fits: those that came first are first.

        Let those with an expression read it.
        """
        found = [each for each in self._all if each.after < number and each.mailbox in (None, mailbox)]
        for each in found:
            if each.searches:
                each.woken.set()
        return [each for each in found if not each.searches]

    @property
    def is_waited_for(self) -> bool:
        """Whether a request waits."""
        return bool(self._all)

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
                        other.seen = 0
                        other.woken.set()

    async def _scan_slowly(self, waiter: Waiter, after: int, deadline: float) -> None:
        """Give a request with an expression the messages that it has not compared yet."""
        after = max(after, waiter.seen)
        waiter.seen = await self._run(lambda: self._source.last)
        with anyio.CancelScope(deadline=max(deadline, anyio.current_time() + COMPARING)):
            await self._scan(waiter, after)

    async def _scan(self, waiter: Waiter, after: int) -> None:
        """Give the request the messages that are there."""
        newest, mailbox, wanted = waiter.target.newest, waiter.target.mailbox, waiter.target.wanted
        before: int | None = None
        while not (waiter.has_all() or self._closed):
            read = _Read(wanted, waiter.may_take) if wanted.has_expression else None
            find = partial(self._source.find, read or waiter.fits, after, before, newest=newest, mailbox=mailbox)
            found = await self._run(find)
            if (
                found.id is not None
                and found.number is not None
                and (read is None or read.mail is None or await self._compare(wanted, wanted.fits, read.mail))
            ):
                waiter.take(Awaited(found.id, found.number))
            if found.next is None:
                return
            if newest:
                before = found.next
            else:
                after = found.next

    async def _compare(self, wanted: Filter, compare: Callable[[Mail], R], mail: Mail) -> R:
        """Compare a mail in a thread. Expressions wait for each other; nothing else waits for them."""
        limiter = self._comparing if wanted.has_expression else None
        return await anyio.to_thread.run_sync(compare, mail, limiter=limiter)

    def _missed(self, target: Target, summary: Summary, why: Sequence[str]) -> Miss:
        if not why and self._claims.has(target.claim, summary.id):
            why = [f"claim: another request of {target.claim!r} has it"]
        return Miss(summary, why)


class _Read:
    """Chooses a message of the store, and reads it as far as a filter needs it. Called in the store's thread.

    `mail`: None until there is one.
    """

    summary: Summary

    def __init__(self, wanted: Filter, may_take: Callable[[str], bool] = lambda _: True) -> None:
        self._wanted = wanted
        self._may_take = may_take
        self.mail: Mail | None = None

    def __call__(self, candidate: Candidate) -> bool:
        self.summary = candidate.summary
        if not self._may_take(self.summary.id):
            return False
        message = candidate.parsed if self._wanted.reads_message else None
        self.mail = _lazy(candidate) if message is None else _mail(self.summary, lambda: message)
        return True


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


def _lazy(candidate: Candidate) -> Mail:
    return _mail(candidate.summary, lambda: candidate.parsed)


def _mail(summary: Summary, message: Callable[[], Message]) -> Mail:
    return Mail(summary.to, summary.sender, summary.subject, summary.header_from, message)
