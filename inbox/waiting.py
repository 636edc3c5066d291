"""Requests that wait for a message. Each new message is compared with their filters in memory, without the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import anyio

from .records import Summary


class Filter(NamedTuple):
    """The messages that a request waits for, by their envelope and subject. None: every value fits. Case is folded."""

    to: str | None = None
    sender: str | None = None
    subject: str | None = None

    def fits(self, message: Folded) -> bool:
        """Return whether a message is one of them."""
        return (
            (self.to is None or self.to in message.to)
            and (self.sender is None or self.sender == message.sender)
            and (self.subject is None or self.subject in message.subject)
        )

    def fits_summary(self, summary: Summary) -> bool:
        """Return whether a message of the list is one of them."""
        return self.fits(Folded.of(summary))


class Folded(NamedTuple):
    """The values of a message that filters compare, in folded case."""

    to: frozenset[str]
    sender: str
    subject: str

    @classmethod
    def of(cls, summary: Summary) -> Folded:
        """Return the values of a message."""
        to = frozenset(address.casefold() for address in summary.to)
        return cls(to, summary.sender.casefold(), summary.subject.casefold())


class Awaited(NamedTuple):
    """A message that a request has waited for. `detail`: as JSON; None for one that was there before the request."""

    id: str
    detail: bytes | None = None


class Waiter:
    """One request. `found`: the message that it waits for; None until it arrives."""

    def __init__(self, wanted: Filter, after: int) -> None:
        self.wanted = wanted
        self.after = after
        self.found: Awaited | None = None
        self.ended = anyio.Event()

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

    def offer(self, number: int, summary: Summary, detail: bytes) -> None:
        """Compare a new message with every filter. `detail`: the whole message, as JSON."""
        if not self._all:
            return
        message = Folded.of(summary)
        for waiter in [each for each in self._all if number > each.after and each.wanted.fits(message)]:
            self._all.discard(waiter)
            waiter.end(Awaited(summary.id, detail))

    def close(self) -> None:
        """End every wait: the host stops."""
        for waiter in self._all:
            waiter.end(None)
        self._all.clear()
