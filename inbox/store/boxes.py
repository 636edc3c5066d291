"""The mailboxes of a database: their names, and the counts of their messages, in memory too.

A mailbox is made by its first message. It stays when it is empty, until it is deleted or another one needs its place.
DEFAULT is always there.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Final, NamedTuple

from ...mime.mailboxes import DEFAULT
from .database import Database

DEFAULT_KEY: Final = 1
"""The key of DEFAULT in the database."""
UNKNOWN: Final = 0
"""A key that no mailbox has."""


class Box(NamedTuple):
    """A mailbox. `key`: in the database; `messages`, `unread`, `bytes`: of its messages."""

    key: int
    messages: int = 0
    unread: int = 0
    bytes: int = 0


class Boxes:
    """The mailboxes. `all`: by their names, in the order in which they were made; `sum`: of all, without a key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed: set[str] = set()
        self.all: dict[str, Box] = {}
        self.sum = Box(UNKNOWN)

    def load(self) -> None:
        """Read them from the database."""
        rows = self._database.execute("SELECT name, mailbox, messages, unread, bytes FROM mailboxes ORDER BY mailbox")
        self.all = {name: Box(*row) for name, *row in rows}
        self._changed.clear()
        counts = list(self.all.values())
        self.sum = Box(UNKNOWN, *(sum(each[at] for each in counts) for at in (1, 2, 3)))

    def of(self, name: str | None) -> Box:
        """Return a mailbox, all of them for None. One that is not there is empty."""
        return self.sum if name is None else self.all.get(name) or Box(UNKNOWN)

    def key(self, name: str | None) -> int | None:
        """Return the key of a mailbox, None for all of them."""
        return None if name is None else self.of(name).key

    def count(self, name: str, messages: int = 0, unread: int = 0, size: int = 0) -> None:
        """Add to the counts of a mailbox."""
        self.all[name] = _added(self.all[name], messages, unread, size)
        self.sum = _added(self.sum, messages, unread, size)
        self._changed.add(name)

    def make(self, name: str) -> None:
        """Make a mailbox."""
        key = self._database.execute("INSERT INTO mailboxes VALUES (NULL, ?, 0, 0, 0)", (name,)).lastrowid
        assert key is not None
        self.all[name] = Box(key)

    def remove(self, name: str) -> None:
        """Remove an empty mailbox; DEFAULT stays."""
        if name != DEFAULT:
            self._changed.discard(name)
            box = self.all.pop(name)
            self._database.execute("DELETE FROM mailboxes WHERE mailbox = ?", (box.key,))

    def clear(self) -> None:
        """Remove every mailbox, their messages are deleted already."""
        self._database.execute("DELETE FROM mailboxes WHERE mailbox != ?", (DEFAULT_KEY,))
        self.all = {DEFAULT: Box(DEFAULT_KEY)}
        self.sum = Box(UNKNOWN)
        self._changed = {DEFAULT}

    def leaving(self, most: int, new: Set[str] = frozenset()) -> Iterator[str]:
        """Yield the mailboxes that leave so that `new` ones fit: the emptiest first, of those the oldest."""
        count = len(self.all.keys() | new) - most
        others = [name for name in self.all if name != DEFAULT and name not in new]
        yield from sorted(others, key=lambda name: (self.all[name].messages, self.all[name].key))[: max(count, 0)]

    def save(self) -> None:
        """Write the counts that have changed."""
        if self._changed:
            rows = [(*self.all[name][1:], self.all[name].key) for name in self._changed]
            self._database.execute_many(
                "UPDATE mailboxes SET messages = ?, unread = ?, bytes = ? WHERE mailbox = ?", rows
            )
            self._changed.clear()

    def kept(self) -> tuple[dict[str, Box], Box]:
        """Return the counts as they are, for `restore`."""
        return dict(self.all), self.sum

    def restore(self, kept: tuple[dict[str, Box], Box]) -> None:
        """Return to earlier counts: the transaction has failed."""
        self.all, self.sum = dict(kept[0]), kept[1]
        self._changed.clear()


def _added(box: Box, messages: int, unread: int, size: int) -> Box:
    return Box(box.key, box.messages + messages, box.unread + unread, box.bytes + size)
