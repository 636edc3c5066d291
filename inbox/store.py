"""The mail of the inbox: tables in SQLite, bounded in messages and in bytes. Synchronous; for one thread at a time.

JSON is stored as the API sends it, so that a list is read and sent without decoding.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import msgspec

from .database import StoreError, connect
from .records import AttachmentInfo, Detail, MessageList, Record, Summary, fold

LATEST: Final = "latest"
"""Stands for the id of the newest message."""


class Added(NamedTuple):
    """The result of `add`. `summary`: the message's, as JSON; `evicted`: ids of the messages deleted for it."""

    summary: bytes
    evicted: Sequence[str]


class Found(NamedTuple):
    """The result of `find`. `detail`: JSON, None for none; `number`: of the newest message that it read."""

    detail: bytes | None
    number: int


class Store:
    """The messages. `path`: of the database's file, empty for memory. 0: not limited. Raises StoreError."""

    def __init__(self, path: str = "", *, max_messages: int = 0, max_bytes: int = 0) -> None:
        self._path = path
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._database = connect(path)
        with self._translated():
            row: tuple[int, int] = self._execute("SELECT count(*), coalesce(sum(bytes), 0) FROM messages").fetchone()
            self.total, self.bytes = row
            with self._transaction():
                self._evict()  # the limits may be smaller than before

    def close(self) -> None:
        """Close the database. Idempotent."""
        self._database.close()

    def add(self, record: Record) -> Added:
        """Store a message. Delete the oldest ones until both limits hold; the newest always stays."""
        with self._translated(), self._transaction():
            (last,) = self._execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
            number = last + 1
            record = record.numbered(number)
            summary, detail = msgspec.json.encode(record.summary), msgspec.json.encode(record.detail)
            self._execute(
                "INSERT INTO messages VALUES (?, ?, ?, ?)", (number, record.summary.id, record.bytes, summary)
            )
            self._execute("INSERT INTO details VALUES (?, ?, ?)", (number, record.words, detail))
            rows = ((number, part, content) for part, content in enumerate(record.contents))
            self._database.executemany("INSERT INTO contents VALUES (?, ?, ?)", rows)
            self.total += 1
            self.bytes += record.bytes
            evicted = self._evict()
        return Added(summary, evicted)

    def list_messages(self, *, limit: int, before: int | None = None, search: str = "") -> MessageList:
        """Return up to `limit` messages that have every word of `search`, of those with a number below `before`."""
        conditions, values = self._search(search)
        if before is not None:
            conditions.append("number < ?")
            values.append(before)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        source = "messages JOIN details USING (number)" if search.split() else "messages"
        query = f"SELECT number, summary FROM {source} {where} ORDER BY number DESC LIMIT ?"  # noqa: S608 - our own words
        with self._translated():
            rows = self._execute(query, (*values, limit + 1)).fetchall()
        more = len(rows) > limit
        messages = [msgspec.Raw(summary) for _, summary in rows[:limit]]
        return MessageList(messages, rows[limit - 1][0] if more else None, self.total, self.bytes)

    def detail(self, message_id: str) -> bytes | None:
        """Return a whole message as JSON, None for an unknown id."""
        with self._translated():
            row = self._row("SELECT detail FROM details WHERE number = ?", message_id)
        return row[0] if row else None

    def raw(self, message_id: str) -> bytes | None:
        """Return a message as it arrived, None for an unknown id."""
        return self._content(message_id, 0)

    def attachment(self, message_id: str, number: int) -> tuple[AttachmentInfo, bytes] | None:
        """Return an attachment by its number, from 1; None for an unknown one."""
        message = self.decoded(message_id)
        if message is None or not 1 <= number <= len(message.attachments):
            return None
        content = self._content(message.summary.id, number)
        return None if content is None else (message.attachments[number - 1], content)

    def decoded(self, message_id: str) -> Detail | None:
        """Return a whole message, None for an unknown id."""
        detail = self.detail(message_id)
        return None if detail is None else msgspec.json.decode(detail, type=Detail)

    def find(self, fits: Callable[[Summary], bool], after: int) -> Found:
        """Return the newest message that fits and has a number above `after`."""
        newest = after
        with self._translated():
            rows = self._execute("SELECT number, id, summary FROM messages WHERE number > ? ORDER BY 1 DESC", (after,))
            for number, message_id, summary in rows:
                newest = max(newest, number)
                if fits(msgspec.json.decode(summary, type=Summary)):
                    return Found(self.detail(message_id), newest)
        return Found(None, newest)

    def delete(self, message_id: str) -> str | None:
        """Delete a message and return its id, None for an unknown one."""
        with self._translated(), self._transaction():
            row = self._row("SELECT id, bytes FROM messages WHERE number = ?", message_id)
            if row is None:
                return None
            self._execute("DELETE FROM messages WHERE id = ?", row[:1])
            self.total -= 1
            self.bytes -= row[1]
            return str(row[0])

    def clear(self) -> int:
        """Delete every message, shrink the file, and return their number."""
        count = self.total
        with self._translated():
            with self._transaction():
                self._execute("DELETE FROM messages")
                self.total = self.bytes = 0
            self._execute("PRAGMA incremental_vacuum").fetchall()
            self._execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return count

    def _execute(self, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        return self._database.execute(query, values)

    def _row(self, query: str, message_id: str) -> tuple[bytes, int] | None:
        """Return the row of a query that takes the number of a message."""
        by_id = "SELECT number FROM messages WHERE id = ?"
        latest = "SELECT max(number) FROM messages"
        found = self._execute(latest) if message_id == LATEST else self._execute(by_id, (message_id,))
        number = found.fetchone()
        row: tuple[bytes, int] | None = self._execute(query, number).fetchone() if number else None
        return row

    def _content(self, message_id: str, part: int) -> bytes | None:
        with self._translated():
            row = self._row(f"SELECT content FROM contents WHERE part = {part:d} AND number = ?", message_id)  # noqa: S608
        return row[0] if row else None

    def _search(self, text: str) -> tuple[list[str], list[object]]:
        """Return the conditions, and their values, that a message has every word. No character of a word is special."""
        words = fold(text).split()
        return ["instr(words, ?) > 0"] * len(words), list(words)

    def _evict(self) -> list[str]:
        """Delete the oldest messages until the limits hold. Return their ids."""
        evicted: list[str] = []
        while self._is_over():
            message_id, size = self._execute("SELECT id, bytes FROM messages ORDER BY number LIMIT 1").fetchone()
            self._execute("DELETE FROM messages WHERE id = ?", (message_id,))
            self.total -= 1
            self.bytes -= size
            evicted.append(message_id)
        return evicted

    def _is_over(self) -> bool:
        many = self._max_messages and self.total > self._max_messages
        large = self._max_bytes and self.bytes > self._max_bytes
        return self.total > 1 and bool(many or large)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit everything, the totals too, or roll everything back."""
        before = self.total, self.bytes
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            self.total, self.bytes = before
            if self._database.in_transaction:
                self._execute("ROLLBACK")
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            where = f"inbox.path {self._path}" if self._path else "memory"
            raise StoreError(f"the inbox's database in {where} failed: {error}") from error
