"""The messages that leave a database: those that are chosen, and the oldest ones over its limits. Synchronous."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Final, NamedTuple

from .boxes import Boxes
from .database import Database
from .index import Index
from .marks import IS_READ
from .results import Ids

_NAME: Final = "(SELECT name FROM mailboxes WHERE mailboxes.mailbox = messages.mailbox)"
_ROWS: Final = f"SELECT number, id, {_NAME}, bytes, {IS_READ.format('messages')} FROM messages"  # noqa: S608


class Row(NamedTuple):
    """A message. `mailbox`: its name; `bytes`: that it counts for."""

    number: int
    id: str
    mailbox: str
    bytes: int
    read: int


class Limits:
    """The limits of a database; 0: not limited. Each method runs in a transaction.

    `max_messages`: of one mailbox; `max_bytes`: of all messages.
    """

    def __init__(
        self, database: Database, boxes: Boxes, index: Index, max_messages: int, max_bytes: int, max_mailboxes: int
    ) -> None:
        self._database = database
        self._boxes = boxes
        self._index = index
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._max_mailboxes = max_mailboxes

    def keep_all(self) -> None:
        """Delete what is over the limits."""
        self.make_mailboxes(frozenset())
        self.evict(dict.fromkeys(self._boxes.all, 0))

    def make_mailboxes(self, names: Set[str]) -> list[Row]:
        """Make the mailboxes that are not there yet. Return the messages of those that leave for them."""
        gone: list[Row] = []
        if names <= self._boxes.all.keys() and len(self._boxes.all) <= self._max_mailboxes:
            return gone
        for name in self._boxes.leaving(self._max_mailboxes, names):
            gone += self.drop(self._oldest("WHERE mailbox = ?", self._boxes.all[name].key))
            self._boxes.remove(name)
        for name in names - self._boxes.all.keys():
            self._boxes.make(name)
        return gone

    def evict(self, new: Mapping[str, int], size: int = 0) -> list[Row]:
        """Delete the oldest messages until the limits hold. Return them.

        `new`: the mailboxes that get messages, each with the number of those to come, `size`: their bytes.
        """
        gone: list[Row] = []
        if self._max_messages:
            for name, count in new.items():
                over = self._boxes.all[name].messages + count - self._max_messages
                if over > 0:
                    gone += self.drop(self._oldest("WHERE mailbox = ?", self._boxes.all[name].key, most=over))
        count = sum(new.values())
        if self._is_over(count, size):
            largest = []
            oldest = self._database.execute(f"{_ROWS} ORDER BY number")
            for row in map(Row._make, oldest):
                largest.append(row)
                count -= 1
                size -= row.bytes
                if not self._is_over(count, size):
                    break
            oldest.close()
            gone += self.drop(largest)
        return gone

    def _is_over(self, messages: int, size: int) -> bool:
        return (
            bool(self._max_bytes)
            and self._boxes.sum.messages + messages > 1
            and self._boxes.sum.bytes + size > self._max_bytes
        )

    def _oldest(self, where: str, *values: int, most: int = -1) -> list[Row]:
        rows = self._database.execute(f"{_ROWS} {where} ORDER BY number LIMIT ?", (*values, most))
        return [Row._make(row) for row in rows]

    def rows(self, numbers: Iterable[int]) -> list[Row]:
        """Return the messages with these numbers."""
        query = f"{_ROWS} WHERE number = ?"
        return [Row._make(self._database.execute(query, (number,)).fetchone()) for number in numbers]

    def drop(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Delete messages that are the oldest, and the index of blocks that have none any more."""
        self.remove(rows)
        if rows:
            (first,) = self._database.execute("SELECT coalesce(min(number), 0) FROM messages").fetchone()
            before = first or rows[-1].number + 1
            self._database.execute("DELETE FROM bitmaps WHERE block < ?", (self._index.forget(before),))
        return rows

    def remove(self, rows: Sequence[Row]) -> Ids:
        """Delete messages."""
        for row in rows:
            self._boxes.count(row.mailbox, -1, row.read - 1, -row.bytes)
        ranges = _ranges(row.number for row in rows)
        for table in ("read", "contents", "details", "messages"):
            delete = f"DELETE FROM {table} WHERE number BETWEEN ? AND ?"  # noqa: S608 - our own words
            self._database.execute_many(delete, ranges)
        return by_mailbox(rows)


def _ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Return the first and the last number of each run of consecutive numbers."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] + 1 == number:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def by_mailbox(rows: Iterable[Row]) -> Ids:
    """Return the ids of messages by their mailboxes."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.mailbox, []).append(row.id)
    return found
