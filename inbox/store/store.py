"""The mail of the inbox: tables in SQLite, bounded in messages and in bytes. Synchronous; for one thread at a time.

A summary is stored as the JSON that the API sends, so that a list is read and sent without decoding. Of the rest only
the session and the message as it arrived are stored: the API parses it anew, and most mail is never opened.
A search reads a slice of the messages at a time, so that mail never waits for more than a slice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, Final, TypeVar

import msgspec

from ..records import NO_RELEASES, MessageList, Record, Release, Stored
from . import finding
from .database import StoreError, connect, stored_size
from .index import PIECE, Index
from .marks import with_mark
from .query import EVERYTHING, Query
from .releases import with_release
from .results import Added, Batch, Changed, Found
from .selection import BOUNDS, CONTENT, SUMMARY, WORDS, Message, Slice

__all__ = ["LATEST", "Added", "Found", "Store", "StoreError"]

T = TypeVar("T")

LATEST: Final = "latest"
"""Stands for the id of the newest message."""
MAX_LIST: Final = 4 * 1024 * 1024
"""Bytes of the summaries in one part of the list. A larger summary is alone in its part."""
INDEXED_FROM: Final = 2000
"""Messages from which on they are indexed. A search reads fewer in some milliseconds."""
UNSAVED: Final = 16
"""Blocks of the index that wait for the next mail's transaction at most."""
CHANGED: Final = 500
"""Messages that one slice deletes or marks at most."""


class _Received(msgspec.Struct):
    received_at: str


def _received_at(summary: bytes) -> str:
    return msgspec.json.decode(summary, type=_Received).received_at


class _Kept(msgspec.Struct):
    """The detail of a message in the database. An older rrpy has stored the whole message in it."""

    session: msgspec.Raw
    releases: msgspec.Raw = NO_RELEASES


class Store:
    """The messages. `path`: of the database's file, empty for memory. 0: not limited. Raises StoreError.

    `total`, `unread`, `bytes`: of all messages. `unindexed`: whether `index` may find a block.
    """

    def __init__(self, path: str = "", *, max_messages: int = 0, max_bytes: int = 0) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._database = connect(path)
        self.total = self.unread = self.bytes = 0
        with self._database.translated():
            self._index = Index(dict(self._database.execute("SELECT block, bits FROM bitmaps ORDER BY block")))
        self._read_totals()
        self.unindexed = True
        self._change(self._evict, deletes=True)  # the limits may be smaller than before

    def close(self) -> None:
        """Close the database. Idempotent."""
        if self._index.unsaved:
            with suppress(StoreError):
                self._change(self._save_index)
            self._index.unsaved.clear()
        self._database.close()

    def add(self, *records: Record) -> Batch:
        """Store messages in one transaction: all, or none.

        Delete the oldest ones until both limits hold; the newest always stays.
        """
        batch = self._change(lambda: self._insert(records))
        self._index.unsaved.clear()  # they are in the database now
        self.unindexed = self.total >= INDEXED_FROM and self._index.may_lack(batch.added[-1].number)
        return batch

    def index(self) -> bool:
        """Index a piece of a complete block. Return whether there was one: call it when no mail waits."""
        self.unindexed = False
        if self.total < INDEXED_FROM:
            return False
        with self._database.translated():
            missing = self._index.missing(*self._database.execute(BOUNDS).fetchone())
            if missing is None:
                return False
            self.unindexed = True
            texts = []
            room = PIECE
            for number, words in self._database.execute(WORDS, missing):
                texts.append(words)
                room -= len(words)
                if room <= 0:
                    missing = number, number + 1
                    break
        self._index.add(texts, missing[1])
        if len(self._index.unsaved) >= UNSAVED:
            self._change(self._save_index)
            self._index.unsaved.clear()
        return True

    def list_messages(
        self, *, limit: int, before: int | None = None, search: Query = EVERYTHING, room: int = MAX_LIST
    ) -> MessageList:
        """Return messages that fit `search`, of those with a number below `before`.

        At most `limit`, in about `room` bytes, and those of one slice.
        """
        messages: list[msgspec.Raw] = []
        found = Slice(self._database, self._index, search, before)
        with self._database.translated():
            for _, summary in found:
                messages.append(msgspec.Raw(summary))
                room -= len(summary)
                found.full = len(messages) == limit or room <= 0
        return MessageList(messages, found.next, self.total, self.bytes, self.unread, search.hits)

    def read(self, message_id: str) -> Stored | None:
        """Return a whole message, None for an unknown id."""
        with self._database.translated():
            found = self._row("SELECT number, detail FROM details WHERE number = ?", message_id)
            if found is None:
                return None
            number, kept = found
            summary = self._database.execute(SUMMARY, (number,)).fetchone()
            (content,) = self._database.execute(CONTENT, (number,)).fetchone()
        detail = msgspec.json.decode(kept, type=_Kept)
        return Stored(with_mark(*summary), bytes(detail.session), content, bytes(detail.releases))

    @property
    def last(self) -> int:
        """The number of the newest message so far, 0 for none."""
        with self._database.translated():
            return finding.last(self._database)

    def find(
        self, fits: Callable[[Message], bool], after: int, before: int | None = None, *, newest: bool = True
    ) -> Found:
        """Return a message, as finding.find does."""
        with self._database.translated():
            return finding.find(self._database, fits, after, before, newest=newest)

    def latest(self, after: int, count: int) -> list[Message]:
        """Return the newest messages with a number above `after`, at most `count`, the oldest first."""
        with self._database.translated():
            return finding.latest(self._database, after, count)

    def delete(self, message_id: str) -> str | None:
        """Delete a message and return its id, None for an unknown one."""

        def work() -> str | None:
            row = self._row("SELECT number, id FROM messages WHERE number = ?", message_id)
            if row is None:
                return None
            number, deleted = row
            self._delete([number])
            return str(deleted)

        deleted = self._change(work, deletes=True)
        self._database.give_back()
        return deleted

    def delete_many(self, chosen: Query | Collection[str] = EVERYTHING, before: int | None = None) -> Changed:
        """Delete the messages that are chosen by their ids, or that fit a search and have a number below `before`.

        A search: those of one slice.
        """

        def work() -> Changed:
            numbers, last = self._chosen(chosen, before)
            changed = [self._id_of(number) for number in numbers]
            self._delete(numbers)
            return Changed(changed, last)

        return self._change(work, deletes=True)

    def is_oldest_before(self, instant: str) -> bool:
        """Return whether the oldest message has arrived before a time, written as a summary has it."""
        with self._database.translated():
            oldest = self._database.execute("SELECT summary FROM messages ORDER BY number LIMIT 1").fetchone()
        return oldest is not None and _received_at(*oldest) < instant

    def delete_older(self, instant: str) -> list[str]:
        """Delete messages from the oldest on that have arrived before a time: CHANGED at most. Return their ids."""

        def work() -> list[str]:
            query = "SELECT number, bytes, id, summary FROM messages ORDER BY number LIMIT ?"
            oldest = self._database.execute(query, (CHANGED,)).fetchall()
            return self._drop(list(takewhile(lambda row: _received_at(row[3]) < instant, oldest)))

        return self._change(work, deletes=True)

    def mark(self, read: bool, chosen: Query | Collection[str] = EVERYTHING, before: int | None = None) -> Changed:
        """Mark messages as read or unread. Which ones: as in `delete_many`."""

        def work() -> Changed:
            numbers, last = self._chosen(chosen, before)
            statement = "INSERT OR IGNORE INTO read VALUES (?)" if read else "DELETE FROM read WHERE number = ?"
            marked = [number for number in numbers if self._database.execute(statement, (number,)).rowcount]
            changed = [self._id_of(number) for number in marked]
            self.unread += -len(changed) if read else len(changed)
            return Changed(changed, last)

        return self._change(work)

    def mark_all(self, read: bool) -> int:
        """Mark every message as read or unread. Return how many have changed."""

        def work() -> int:
            everything = "INSERT OR IGNORE INTO read SELECT number FROM messages"
            changed = self._database.execute(everything if read else "DELETE FROM read").rowcount
            self.unread = 0 if read else self.total
            return changed

        return self._change(work)

    def add_release(self, message_id: str, release: Release) -> bool:
        """Add a release to a message. Return False for an unknown id."""

        def work() -> bool:
            row = self._row("SELECT number, detail FROM details WHERE number = ?", message_id)
            if row is None:
                return False
            number, before = row
            detail = with_release(before, release)
            self._database.execute("UPDATE details SET detail = ? WHERE number = ?", (detail, number))
            grown = stored_size(len(detail)) - stored_size(len(before))
            self._database.execute("UPDATE messages SET bytes = bytes + ? WHERE number = ?", (grown, number))
            self.bytes += grown
            return True

        return self._change(work)

    def is_below(self, number: int | None) -> bool:
        """Return whether every message has a number below this one, None for no bound."""
        if number is None:
            return True
        with self._database.translated():
            (last,) = self._database.execute("SELECT coalesce(max(number), 0) FROM messages").fetchone()
        return bool(last < number)

    def give_back(self) -> None:
        """Give the room of deleted messages back to the disk."""
        self._database.give_back()

    def clear(self) -> int:
        """Delete every message, and return their number."""

        def work() -> int:
            for table in ("contents", "details", "messages", "bitmaps", "read"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
            count, self.total, self.unread, self.bytes = self.total, 0, 0, 0
            return count

        count = self._change(work, deletes=True)
        self._index = Index({})
        self._database.give_back()
        return count

    def _chosen(self, chosen: Query | Collection[str], before: int | None) -> tuple[list[int], int | None]:
        """Return the numbers of the messages that a change is for, and where the next slice begins."""
        if not isinstance(chosen, Query):
            rows = [self._row("SELECT number FROM messages WHERE number = ?", each) for each in chosen]
            return list({row[0]: None for row in rows if row}), None
        numbers = []
        found = Slice(self._database, self._index, chosen, before)
        for number, _ in found:
            numbers.append(number)
            found.full = len(numbers) == CHANGED
        return numbers, found.next

    def _id_of(self, number: int) -> str:
        return str(self._database.execute("SELECT id FROM messages WHERE number = ?", (number,)).fetchone()[0])

    def _delete(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            (size,) = self._database.execute("SELECT bytes FROM messages WHERE number = ?", (number,)).fetchone()
            self._remove("=", number)
            self.total -= 1
            self.unread -= 1
            self.bytes -= size

    def _insert(self, records: Sequence[Record]) -> Batch:
        execute = self._database.execute
        (last,) = execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
        added: list[Added] = []
        messages, details, contents = [], [], []
        new_bytes = 0
        for number, (unnumbered, session, words, content) in enumerate(records, last + 1):
            summary = msgspec.json.encode(msgspec.structs.replace(unnumbered, number=number))
            kept = b'{"session":%b}' % session
            size = stored_size(len(summary)) + stored_size(len(kept), len(words.encode())) + stored_size(len(content))
            new_bytes += size
            added.append(Added(number, Stored(summary, session, content)))
            messages.append((number, unnumbered.id, size, summary))
            details.append((number, words, kept))
            contents.append((number, 0, content))
        evicted = self._evict(len(records), new_bytes)  # before: so the new messages take their pages
        insert = self._database.insert_many
        insert("INSERT INTO messages VALUES (?, ?, ?, ?)", messages)
        insert("INSERT INTO details VALUES (?, ?, ?)", details)
        insert("INSERT INTO contents VALUES (?, ?, ?)", contents)
        self._save_index()
        self.total += len(records)
        self.unread += len(records)
        self.bytes += new_bytes
        return Batch(added, evicted + self._evict())

    def _evict(self, messages: int = 0, size: int = 0) -> list[str]:
        """Delete the oldest messages until the limits hold, with so many more messages and bytes. Return their ids."""
        if not self._is_over(messages, size):
            return []
        evicted = []
        oldest = self._database.execute("SELECT number, bytes, id FROM messages ORDER BY number")
        for row in oldest:
            evicted.append(row)
            messages -= 1
            size -= row[1]
            if not self._is_over(messages, size):
                break
        oldest.close()
        return self._drop(evicted)

    def _drop(self, oldest: Sequence[tuple[Any, ...]]) -> list[str]:
        """Delete the oldest messages: number, bytes and id of each, in order. Return their ids."""
        if oldest:
            last = oldest[-1][0]
            self.total -= len(oldest)
            self.unread -= len(oldest)
            self.bytes -= sum(row[1] for row in oldest)
            self._remove("<=", last)
            self._database.execute("DELETE FROM bitmaps WHERE block < ?", (self._index.forget(last + 1),))
        return [row[2] for row in oldest]

    def _is_over(self, messages: int, size: int) -> bool:
        many = self._max_messages and self.total + messages > self._max_messages
        large = self._max_bytes and self.bytes + size > self._max_bytes
        return self.total + messages > 1 and bool(many or large)

    def _remove(self, comparison: str, number: int) -> None:
        self.unread += self._database.execute(f"DELETE FROM read WHERE number {comparison} ?", (number,)).rowcount  # noqa: S608
        for table in ("contents", "details", "messages"):
            self._database.execute(f"DELETE FROM {table} WHERE number {comparison} ?", (number,))  # noqa: S608

    def _save_index(self) -> None:
        self._database.insert_many("INSERT OR REPLACE INTO bitmaps VALUES (?, ?)", list(self._index.unsaved.items()))

    def _row(self, query: str, message_id: str) -> tuple[Any, ...] | None:
        """Return the row of a query that takes the number of a message."""
        by_id = "SELECT number FROM messages WHERE id = ?"
        latest = "SELECT max(number) FROM messages"
        execute = self._database.execute
        found = execute(latest) if message_id == LATEST else execute(by_id, (message_id,))
        number = found.fetchone()
        row: tuple[Any, ...] | None = execute(query, number).fetchone() if number else None
        return row

    def _change(self, work: Callable[[], T], *, deletes: bool = False) -> T:
        """Run a transaction; the totals belong to it."""
        before = self.total, self.unread, self.bytes

        def begin() -> T:
            self.total, self.unread, self.bytes = before
            result = work()
            totals = (self.total, self.unread, self.bytes)
            self._database.execute("UPDATE totals SET messages = ?, unread = ?, bytes = ?", totals)
            return result

        try:
            return self._database.change(begin, deletes=deletes)
        except BaseException:
            self.total, self.unread, self.bytes = before
            with suppress(StoreError):
                self._read_totals()  # a change in a removed file is there, and not kept
            raise

    def _read_totals(self) -> None:
        with self._database.translated():
            totals = self._database.execute("SELECT messages, unread, bytes FROM totals").fetchone()
            self.total, self.unread, self.bytes = totals
