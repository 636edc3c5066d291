"""The mails of a test, and the calls that wait for them, from threads and from event loops. Nothing polls.

A waiting call is a row of `_waiting`. Each new mail is offered to the rows in their order; the one that takes it ends
its call through a future, which a thread and an event loop can both wait for.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TimedOut
from contextlib import suppress
from typing import Any, Final, Literal, NamedTuple

from ..mime.matching import Filter, Mail, Wanted
from ..mime.misses import Came, report, wanted_text
from .mail import CaughtMail

REFUSALS: Final = 20
"""Refusals that the error of a missing mail shows, the last ones."""
MISSES: Final = 20
"""Mails that it shows, the last ones."""

Text = str | re.Pattern[str]
After = int | Literal["now", "latest"]
Order = Literal["oldest", "newest"]


class _Target(NamedTuple):
    """The mails that a call waits for. `after`: they have higher numbers. `claim`: a name; most have none."""

    wanted: Filter
    after: int
    newest: bool
    total: int
    claim: str


class _Waiter:
    def __init__(self, target: _Target) -> None:
        self.target = target
        self.got: list[CaughtMail] = []
        self.ended: Future[list[CaughtMail]] = Future()


class Mails:
    """Mails, in the order of arrival. Its methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._mails: list[CaughtMail] = []
        self._count = 0
        self._taken: dict[str, set[int]] = {}
        self._refusals: deque[str] = deque(maxlen=REFUSALS)
        self._waiting: list[_Waiter] = []

    @property
    def mails(self) -> list[CaughtMail]:
        """Every mail so far, in order."""
        with self._lock:
            return list(self._mails)

    def clear(self) -> None:
        """Forget every mail so far."""
        with self._lock:
            self._mails.clear()
            self._taken.clear()
            self._refusals.clear()

    def expect(
        self,
        *,
        to: Text | None = None,
        sender: Text | None = None,
        subject: Text | None = None,
        body: Text | None = None,
        header: str | Sequence[str] = (),
        after: After = 0,
        order: Order = "oldest",
        claim: str = "",
        timeout: float = 5.0,
    ) -> CaughtMail:
        """Return a mail that fits and that no call of this claim has returned; wait for it, at most `timeout` seconds.

        docs/how-to/testing.md describes the conditions. A compiled pattern is searched in the text as it is. `after`: a
        number of a mail, or `now`. Raises AssertionError, whose text lists what came instead, why it does not fit, and
        what the server refused. Use `aexpect` in a running event loop.
        """
        __tracebackhide__ = True
        wanted = _filter(to, sender, subject, body, header)
        return self._wait(self._target(wanted, after, order, 1, claim), timeout)[0]

    async def aexpect(
        self,
        *,
        to: Text | None = None,
        sender: Text | None = None,
        subject: Text | None = None,
        body: Text | None = None,
        header: str | Sequence[str] = (),
        after: After = 0,
        order: Order = "oldest",
        claim: str = "",
        timeout: float = 5.0,
    ) -> CaughtMail:
        """Do what `expect` does, without blocking the event loop."""
        __tracebackhide__ = True
        target = self._target(_filter(to, sender, subject, body, header), after, order, 1, claim)
        waiter = self._begin(target)
        try:
            with suppress(TimeoutError):
                return (await asyncio.wait_for(asyncio.wrap_future(waiter.ended), timeout))[0]
            return self._end(waiter, timeout)[0]
        finally:
            self._leave(waiter)

    def expect_all(
        self,
        count: int,
        *,
        to: Text | None = None,
        sender: Text | None = None,
        subject: Text | None = None,
        body: Text | None = None,
        header: str | Sequence[str] = (),
        after: After = 0,
        order: Order = "oldest",
        claim: str = "",
        timeout: float = 5.0,
    ) -> list[CaughtMail]:
        """Return so many mails that fit, as `expect` returns one. Where fewer come, no call has them."""
        __tracebackhide__ = True
        if count < 1:
            raise ValueError(f"count is {count}; expect_none() is for no mail")
        wanted = _filter(to, sender, subject, body, header)
        return self._wait(self._target(wanted, after, order, count, claim), timeout)

    def expect_none(
        self,
        *,
        to: Text | None = None,
        sender: Text | None = None,
        subject: Text | None = None,
        body: Text | None = None,
        header: str | Sequence[str] = (),
        after: After = 0,
        within: float = 1.0,
    ) -> None:
        """Return after `within` seconds without a mail that fits. Raises AssertionError as soon as there is one.

        A mail that `expect` has returned does not count.
        """
        __tracebackhide__ = True
        if not within >= 0:  # such a wait would see no mail
            raise ValueError(f"within is {within}; it is 0 or more seconds")
        target = self._target(_filter(to, sender, subject, body, header), after, "oldest", 1, "")
        waiter = self._begin(target)
        try:
            with suppress(TimedOut):
                (mail,) = waiter.ended.result(within)
                raise AssertionError(report(f"a {_asked(target)} came within {within:g} s", [_came(mail, ())]))
        finally:
            self._give_back(waiter)
            self._leave(waiter)

    def add(self, mail: CaughtMail) -> None:
        """Add a mail, and end the calls that wait for it."""
        with self._lock:
            self._count += 1
            mail = mail._replace(number=self._count)
            self._mails.append(mail)
            for waiter in list(self._waiting):
                self._offer(waiter, mail)

    def add_refusal(self, line: str) -> None:
        """Add what the server refused."""
        with self._lock:
            self._refusals.append(line)

    def _target(self, wanted: Filter, after: After, order: Order, total: int, claim: str) -> _Target:
        if order not in ("oldest", "newest"):
            raise ValueError(f"order is {order!r}; it is oldest or newest")
        if isinstance(after, str) and after not in ("now", "latest"):
            raise ValueError(f"after is {after!r}; it is a number, now or latest")
        with self._lock:
            number = after if isinstance(after, int) else self._count
        return _Target(wanted, number, order == "newest", total, claim)

    def _wait(self, target: _Target, timeout: float) -> list[CaughtMail]:
        __tracebackhide__ = True
        waiter = self._begin(target)
        try:
            with suppress(TimedOut):
                return waiter.ended.result(timeout)
            return self._end(waiter, timeout)
        finally:
            self._leave(waiter)

    def _begin(self, target: _Target) -> _Waiter:
        """Give a call the mails that are there, and let it wait for the others."""
        waiter = _Waiter(target)
        with self._lock:
            for mail in reversed(self._mails) if target.newest else self._mails:
                self._offer(waiter, mail)
            if not waiter.ended.done():
                self._waiting.append(waiter)
        return waiter

    def _offer(self, waiter: _Waiter, mail: CaughtMail) -> None:
        target = waiter.target
        if waiter.ended.done() or mail.number <= target.after or not self._is_free(mail, target.claim):
            return
        if not target.wanted.fits(_compared(mail)):
            return
        self._taken.setdefault(target.claim, set()).add(mail.number)
        waiter.got.append(mail)
        if len(waiter.got) == target.total:
            waiter.got.sort(key=lambda each: each.number, reverse=target.newest)
            waiter.ended.set_result(list(waiter.got))

    def _is_free(self, mail: CaughtMail, claim: str) -> bool:
        return mail.number not in self._taken.get(claim, ())

    def _end(self, waiter: _Waiter, timeout: float) -> list[CaughtMail]:
        """Return the mails of a call whose time is over, where they came in this moment. Raises AssertionError."""
        __tracebackhide__ = True
        with self._lock:
            if waiter.ended.done() and not waiter.ended.cancelled():
                return waiter.ended.result()
            self._give_back(waiter)
            raise AssertionError(self._failure(waiter.target, timeout))

    def _give_back(self, waiter: _Waiter) -> None:
        """Let the others have the mails of a call that fails."""
        claim = waiter.target.claim
        with self._lock:
            self._drop(waiter)
            given, waiter.got = waiter.got, []
            if not given:
                return
            self._taken[claim].difference_update(mail.number for mail in given)
            for mail in given:
                for other in [each for each in self._waiting if each.target.claim == claim]:
                    self._offer(other, mail)

    def _leave(self, waiter: _Waiter) -> None:
        """End a call: an asynchronous one may be cancelled, and gives its mails back."""
        with self._lock:
            self._drop(waiter)
            if waiter.ended.cancelled():
                self._give_back(waiter)

    def _drop(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def _failure(self, target: _Target, timeout: float) -> str:
        """Return what came in place of the mails that a call waited for."""
        came = []
        for mail in self._mails[-MISSES:]:
            why = target.wanted.why_not(_compared(mail))
            if mail.number <= target.after:
                why = [f"after: its number {mail.number} is not above {target.after}"]
            elif not why and not self._is_free(mail, target.claim):
                why = ["returned before"]
            came.append(_came(mail, why))
        text = report(f"no {_asked(target)} within {timeout:g} s", came)
        return "\n".join([text, *(["refused:", *self._refusals] if self._refusals else [])])


class _Searched(Wanted):
    """A compiled pattern, searched in a value as it is."""

    __slots__ = ()

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.text = f"~{pattern.pattern}"
        self.instructions = 1
        self.exact = None
        self._fits = lambda value: pattern.search(value.text) is not None


def _filter(
    to: Text | None, sender: Text | None, subject: Text | None, body: Text | None, header: str | Sequence[str]
) -> Filter:
    texts = {"to": to, "sender": sender, "subject": subject, "body": body}
    plain = {name: text for name, text in texts.items() if not isinstance(text, re.Pattern)}
    compiled: dict[str, Any] = {name: _Searched(text) for name, text in texts.items() if isinstance(text, re.Pattern)}
    return Filter.of(**plain, header=header)._replace(**compiled)


def _compared(mail: CaughtMail) -> Mail:
    return Mail.of(mail.recipients, mail.sender, mail.message)


def _asked(target: _Target) -> str:
    return wanted_text(target.total, str(target.wanted))


def _came(mail: CaughtMail, why: Sequence[str]) -> Came:
    return Came(mail.sender, mail.recipients, mail.subject, why)
