"""The messages that a waiting request reads: one slice at a time, from either end. Synchronous."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from . import selection
from .database import Database
from .results import Found
from .selection import FIRST, Message


def last(database: Database) -> int:
    """Return the number of the newest message so far, also of a deleted one; 0 for none."""
    (number,) = database.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
    return int(number)


def find(
    database: Database,
    fits: Callable[[Message], bool],
    after: int,
    before: int | None,
    *,
    newest: bool,
    mailbox: int | None,
) -> Found:
    """Return the newest message that fits and has a number between `after` and `before`, or the oldest.

    Read one slice: `next` is the new `before`, or `after`. `mailbox`: the key of the mailbox, None for all.
    """
    ends = selection.now() + selection.SLICE
    order = "DESC" if newest else "ASC"
    where = "WHERE number > ? AND number < ?"
    for message in _messages(database, where, order, (after, FIRST if before is None else before), mailbox):
        if fits(message):
            return Found(message.summary.id, message.number, message.number)
        if selection.now() >= ends:
            return Found(None, None, message.number)
    return Found(None, None, None)


def latest(database: Database, after: int, count: int, mailbox: int | None) -> list[Message]:
    """Return the newest messages with a number above `after`, at most `count`, the oldest first."""
    return list(islice(_messages(database, "WHERE number > ?", "DESC", (after,), mailbox), count))[::-1]


def _messages(
    database: Database, where: str, order: str, values: Sequence[int], mailbox: int | None
) -> Iterator[Message]:
    of = [] if mailbox is None else [mailbox]
    query = f"SELECT number, summary FROM messages {where}{' AND mailbox = ?' * len(of)} ORDER BY number {order}"  # noqa: S608
    for number, summary in database.execute(query, (*values, *of)):
        yield Message(database, number, "", summary)
