"""Which message is meant: one rule for the pytest fixture (testing/) and for the API of the inbox. Pure.

A text fits whatever its case, and whole. In the wanted text `*` stands for any text, also for none. Not regular
expressions: the inbox compares in the host's event loop, which a pattern of a client could hold up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

ANY = "*"


class Folded(NamedTuple):
    """The values of a message that a Filter compares, in folded case: its envelope and its subject."""

    to: frozenset[str]
    sender: str
    subject: str

    @classmethod
    def of(cls, to: Iterable[str], sender: str, subject: str) -> Self:
        """Return the values of a message. `to`: the recipients."""
        return cls(frozenset(address.casefold() for address in to), sender.casefold(), subject.casefold())


class Filter(NamedTuple):
    """The messages that are meant, in folded case; None: every value fits. `to`: one of the recipients."""

    to: str | None = None
    sender: str | None = None
    subject: str | None = None

    @classmethod
    def of(cls, to: str | None = None, sender: str | None = None, subject: str | None = None) -> Self:
        """Return the filter of texts in any case."""
        return cls(*(text and text.casefold() for text in (to, sender, subject)))

    def fits(self, message: Folded) -> bool:
        """Return whether a message is one of them."""
        return (
            (self.to is None or self.to in message.to or _fits_one(self.to, message.to))
            and (self.sender is None or fits(self.sender, message.sender))
            and (self.subject is None or fits(self.subject, message.subject))
        )


def _fits_one(wanted: str, texts: Iterable[str]) -> bool:
    return ANY in wanted and any(fits(wanted, text) for text in texts)


def fits(wanted: str, text: str) -> bool:
    """Return whether a text fits a wanted one, in which `*` stands for any text. Case counts."""
    first, *parts = wanted.split(ANY)
    if not parts:
        return wanted == text
    *parts, last = parts
    place, end = len(first), len(text) - len(last)
    if place > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in parts:
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return True
