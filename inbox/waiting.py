"""Requests that wait for a message. Each new message is compared with their filters in memory, without the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import anyio

from ..mime.matching import Filter, Mail
from ..mime.message import Message, parse
from .records import Stored, Summary


class Awaited(NamedTuple):
    """A message that a request has waited for. `message`: None for one that was there before the request."""

    id: str
    message: Stored | None = None


class Waiter:
    """One request. `found`: the message that it waits for; None until it arrives."""

    def __init__(self, wanted: Filter, after: int) -> None:
        self.wanted = wanted
        self.after = after
        self.found: Awaited | None = None
        self.ended = anyio.Event()

    def fits(self, summary: Summary) -> bool:
        """Return whether the request waits for a message of the list."""
        return self.wanted.fits(_mail(summary, None))

    def end(self, found: Awaited | None) -> None:
        """Give the message to the request, None where the host stops."""
        self.found = found
        self.ended.set()


class Waiters:
    """All requests that wait."""

    def __init__(self) -> None:
        self._all: set[Waiter] = set()

    @contextmanager
    def waiting(self, wanted: Filter, after: int) -> Iterator[Waiter]:
        """Wait inside the block for a message with a number above `after`."""
        waiter = Waiter(wanted, after)
        self._all.add(waiter)
        try:
            yield waiter
        finally:
            self._all.discard(waiter)

    def offer(self, number: int, summary: Summary, message: Stored) -> None:
        """Compare a new message with every filter."""
        if not self._all:
            return
        mail = _mail(summary, message)
        for waiter in [each for each in self._all if number > each.after and each.wanted.fits(mail)]:
            self._all.discard(waiter)
            waiter.end(Awaited(summary.id, message))

    def close(self) -> None:
        """End every wait: the host stops."""
        for waiter in self._all:
            waiter.end(None)
        self._all.clear()


def _mail(summary: Summary, stored: Stored | None) -> Mail:
    def message() -> Message:
        assert stored is not None
        return parse(stored.content)

    return Mail(summary.to, summary.sender, summary.subject, summary.header_from, message)
