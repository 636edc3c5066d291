"""The mail of the inbox: tables in SQLite, bounded in messages and in bytes. Synchronous; for one thread at a time.

JSON is stored as the API sends it, so that a list is read and sent without decoding. A search reads a slice of the
messages at a time, so that mail never waits for more than a slice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from .database import StoreError, connect, stored_size
from .index import BLOCK, Index
from .records import MessageList, Record, Summary, fold

__all__ = ["LATEST", "Added", "Found", "Store", "StoreError"]

T = TypeVar("T")

LATEST: Final = "latest"
"""Stands for the id of the newest message."""
MAX_LIST: Final = 4 * 1024 * 1024
"""Bytes of the summaries in one part of the list. A larger summary is alone in its part."""
SLICE: Final = 8 * 1024 * 1024
"""Work of one slice: a character of a message for each word of the search, and ROW for each message."""
ROW: Final = 1000
INDEXED_FROM: Final = 2000
"""Messages from which on new ones are indexed. A search reads fewer in some milliseconds."""

_FIRST: Final = 2**63 - 1  # above the number of every message


class Added(NamedTuple):
    """A message that was stored. `summary`, `detail`: as JSON."""

    number: int
    summary: bytes
    detail: bytes


class Batch(NamedTuple):
    """The result of `add`. `evicted`: ids of messages deleted for the new ones, which may be of these too."""

    added: Sequence[Added]
    evicted: Sequence[str]


class Found(NamedTuple):
    """The result of `find`. `id`: None for no message; `next`: where the next slice begins, None after the last."""

    id: str | None
    next: int | None


class Store:
    """The messages. `path`: of the database's file, empty for memory. 0: not limited. Raises StoreError."""

    def __init__(self, path: str = "", *, max_messages: int = 0, max_bytes: int = 0) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._database = connect(path)
        self.total = self.bytes = 0
        self._count()
        self._indexed = self.total >= INDEXED_FROM
        self._index = self._read_index()
        self._change(self._evict, deletes=True)  # the limits may be smaller than before

    def close(self) -> None:
        """Close the database. Idempotent."""
        self._database.close()

    def add(self, *records: Record) -> Batch:
        """Store messages in one transaction: all, or none.

        Delete the oldest ones until both limits hold; the newest always stays.
        """
        batch = self._change(lambda: self._insert(records))
        self._index.complete.clear()  # they are in the database now
        return batch

    def list_messages(
        self, *, limit: int, before: int | None = None, search: str = "", room: int = MAX_LIST
    ) -> MessageList:
        """Return messages that have every word of `search`, of those with a number below `before`.

        At most `limit`, in about `room` bytes, and those of one slice.
        """
        words = set(fold(search).split())
        messages: list[msgspec.Raw] = []
        work = 0
        last = _FIRST if before is None else before
        with self._database.translated():
            for number, summary, text in self._rows(last, words):
                if len(messages) == limit or room <= 0 or work >= SLICE:
                    return MessageList(messages, last, self.total, self.bytes)
                last = number
                work += ROW + len(text) * len(words)
                if all(word in text for word in words):
                    found = summary or self._summary(number)
                    messages.append(msgspec.Raw(found))
                    room -= len(found)
        return MessageList(messages, None, self.total, self.bytes)

    def summary(self, message_id: str) -> Summary | None:
        """Return a message as the list has it, None for an unknown id."""
        with self._database.translated():
            row = self._row("SELECT summary FROM messages WHERE number = ?", message_id)
        return msgspec.json.decode(row[0], type=Summary) if row else None

    def detail(self, message_id: str) -> bytes | None:
        """Return a whole message as JSON, None for an unknown id."""
        with self._database.translated():
            row = self._row("SELECT detail FROM details WHERE number = ?", message_id)
        return row[0] if row else None

    def content(self, message_id: str, part: int = 0) -> bytes | None:
        """Return an attachment by its number, 0 for the message as it arrived; None for an unknown one."""
        with self._database.translated():
            row = self._row(f"SELECT content FROM contents WHERE part = {part:d} AND number = ?", message_id)  # noqa: S608
        return row[0] if row else None

    def find(self, fits: Callable[[Summary], bool], after: int, before: int | None = None) -> Found:
        """Return the newest message that fits and has a number between `after` and `before`. Read one slice."""
        work = 0
        last = _FIRST if before is None else before
        query = "SELECT number, summary FROM messages WHERE number > ? AND number < ? ORDER BY number DESC"
        with self._database.translated():
            for number, summary in self._database.execute(query, (after, last)):
                if work >= SLICE:
                    return Found(None, last)
                last = number
                work += ROW + len(summary)
                message = msgspec.json.decode(summary, type=Summary)
                if fits(message):
                    return Found(message.id, None)
        return Found(None, None)

    def delete(self, message_id: str) -> str | None:
        """Delete a message and return its id, None for an unknown one."""

        def work() -> str | None:
            row = self._row("SELECT number, id, bytes FROM messages WHERE number = ?", message_id)
            if row is None:
                return None
            number, deleted, size = row
            self._remove("=", number)
            self.total -= 1
            self.bytes -= size
            return str(deleted)

        deleted = self._change(work, deletes=True)
        self._database.give_back()
        return deleted

    def clear(self) -> int:
        """Delete every message, and return their number."""

        def work() -> int:
            for table in ("contents", "details", "messages", "blocks"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
            count, self.total, self.bytes = self.total, 0, 0
            return count

        count = self._change(work, deletes=True)
        self._index = Index({})
        self._database.give_back()
        return count

    def _insert(self, records: Sequence[Record]) -> Batch:
        execute = self._database.execute
        (last,) = execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
        added: list[Added] = []
        messages, details, contents = [], [], []
        new_bytes = 0
        for number, unnumbered in enumerate(records, last + 1):
            record = unnumbered.numbered(number)
            summary, detail = msgspec.json.encode(record.summary), msgspec.json.encode(record.detail)
            size = stored_size(len(summary)) + stored_size(len(detail), len(record.words.encode()))
            size += sum(stored_size(len(content)) for content in record.contents)
            new_bytes += size
            added.append(Added(number, summary, detail))
            messages.append((number, record.summary.id, size, summary))
            details.append((number, record.words, detail))
            contents += [(number, part, content) for part, content in enumerate(record.contents)]
            if self._indexed or self.total >= INDEXED_FROM:
                self._indexed = True  # from now on: a block is indexed to its end
                self._index.add(number, record.words)
        evicted = self._evict(len(records), new_bytes)  # before: so the new messages take their pages
        insert = self._database.insert_many
        insert("INSERT INTO messages VALUES (?, ?, ?, ?)", messages)
        insert("INSERT INTO details VALUES (?, ?, ?)", details)
        insert("INSERT INTO contents VALUES (?, ?, ?)", contents)
        insert("INSERT OR REPLACE INTO blocks VALUES (?, ?)", list(self._index.complete.items()))
        self.total += len(records)
        self.bytes += new_bytes
        return Batch(added, evicted + self._evict())

    def _evict(self, messages: int = 0, size: int = 0) -> list[str]:
        """Delete the oldest messages until the limits hold, with so many more messages and bytes. Return their ids."""
        evicted: list[str] = []
        if not self._is_over(messages, size):
            return evicted
        oldest = self._database.execute("SELECT number, bytes, id FROM messages ORDER BY number")
        for number, freed, message_id in oldest:
            last = number
            self.total -= 1
            self.bytes -= freed
            evicted.append(message_id)
            if not self._is_over(messages, size):
                break
        oldest.close()
        if evicted:
            self._remove("<=", last)
            self._database.execute("DELETE FROM blocks WHERE number < ?", (self._index.forget(last + 1),))
        return evicted

    def _is_over(self, messages: int, size: int) -> bool:
        many = self._max_messages and self.total + messages > self._max_messages
        large = self._max_bytes and self.bytes + size > self._max_bytes
        return self.total + messages > 1 and bool(many or large)

    def _remove(self, comparison: str, number: int) -> None:
        for table in ("contents", "details", "messages"):
            self._database.execute(f"DELETE FROM {table} WHERE number {comparison} ?", (number,))  # noqa: S608

    def _rows(self, before: int, words: Collection[str]) -> Iterator[tuple[int, bytes | None, str]]:
        """Yield number, summary and words of the messages, newest first.

        A search, with `words`, reads the summary when the message fits, and reads no message that the index excludes.
        """
        execute = self._database.execute
        if not words:
            yield from execute(
                "SELECT number, summary, '' FROM messages WHERE number < ? ORDER BY number DESC", (before,)
            )
            return
        first, last = execute("SELECT coalesce(min(number), 0), coalesce(max(number), 0) FROM messages").fetchone()
        query = "SELECT number, NULL, words FROM details WHERE number >= ? AND number < ? ORDER BY number DESC"
        for numbers in self._index.ranges(words, first, min(before, last + 1)):
            yield from execute(query, numbers)

    def _read_index(self) -> Index:
        """Return the index: that of the file, and of the messages after its last block."""
        execute = self._database.execute
        with self._database.translated():
            index = Index(dict(execute("SELECT number, runs FROM blocks")))
            (last,) = execute("SELECT coalesce(max(number), 0) FROM messages").fetchone()
            newest = (last // BLOCK * BLOCK,)
            query = "SELECT number, words FROM details WHERE number >= ? ORDER BY number"
            if self._indexed:
                index.resume(execute(query, newest).fetchall())
        return index

    def _summary(self, number: int) -> bytes:
        found: bytes = self._database.execute("SELECT summary FROM messages WHERE number = ?", (number,)).fetchone()[0]
        return found

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
        before = self.total, self.bytes

        def begin() -> T:
            self.total, self.bytes = before
            return work()

        try:
            return self._database.change(begin, deletes=deletes)
        except BaseException:
            self.total, self.bytes = before
            with suppress(StoreError):
                self._count()  # a change in a removed file is there, and not kept
            raise

    def _count(self) -> None:
        with self._database.translated():
            row = self._database.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM messages").fetchone()
            self.total, self.bytes = row
