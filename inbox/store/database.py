"""The inbox's SQLite database: opened, checked and locked; its transactions.

A file belongs to one host. `connect` locks it until the database closes: a second host gets one clear sentence, and
the totals in memory stay true. The journal is a write-ahead log (WAL), written to the disk at each commit: once its
client has 250, a message survives a killed host and a power failure.

`auto_vacuum = FULL` gives the pages of deleted messages back at each commit, so a deleted message leaves the file. It
moves other pages into their place, which needs room in the log. Without that room, `auto_vacuum = INCREMENTAL` moves
them step by step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

from ...container.errors import HostError, reason_of
from ...container.sqlite.file import DatabaseFile
from ...container.sqlite.opening import PAGE, CannotOpen, Schema, is_for_want_of_room, open_file, open_in_memory

T = TypeVar("T")

VERSION: Final = 5
"""The version of the tables below, in the file's user_version."""
APPLICATION: Final = 0x7272_696E
"""`rrin`: the file's application_id, which names its application."""
STEP: Final = 64
"""Pages that move in one step where there is little room. The log needs three times as many: fewer than LOG_ROOM."""
PAGE_IN_MEMORY: Final = 4400
"""Bytes of a page and of SQLite's notes about it."""
SPARE: Final = 64 * 1024
"""Bytes of the file beyond its pages: a deletion may need a page before it frees others."""
SMALL: Final = 1000
"""Bytes of a row up to which it shares a page with others."""

# An older file gets each statement. Before version 4 the bits of an index, in `blocks`, had another meaning.
# Before version 5 every message stood in one mailbox.
_TABLES = """
CREATE TABLE messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, summary BLOB NOT NULL
);
CREATE TABLE details (
    number INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE, words TEXT NOT NULL, detail BLOB NOT NULL
);
CREATE TABLE contents (
    number INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE, part INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (number, part)
) WITHOUT ROWID;
DROP TABLE IF EXISTS blocks;
CREATE TABLE bitmaps (block INTEGER PRIMARY KEY, bits BLOB NOT NULL);
CREATE TABLE read (number INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE);
CREATE TABLE mailboxes (
    mailbox INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    messages INTEGER NOT NULL, unread INTEGER NOT NULL, bytes INTEGER NOT NULL
);
ALTER TABLE messages ADD COLUMN mailbox INTEGER NOT NULL DEFAULT 1;
CREATE INDEX messages_of_mailbox ON messages (mailbox, number);
DROP TABLE IF EXISTS totals;
INSERT INTO mailboxes
    SELECT 1, 'default', count(*), count(*) - (SELECT count(*) FROM read), coalesce(sum(bytes), 0) FROM messages;
"""
_SCHEMA: Final = Schema(
    APPLICATION,
    VERSION,
    _TABLES,
    # Part 0 of a message's contents is the message as it arrived. An older rrpy stored its attachments beside it.
    columns={
        "messages": "number, id, bytes, summary",
        "details": "number, words, detail",
        "contents": "number, part, content",
        "bitmaps": "block, bits",
        "read": "number",
        "mailboxes": "mailbox, name, messages, unread, bytes",
    },
    since={"read": 3, "bitmaps": 4, "mailboxes": 5},
    auto_vacuum=1,
    pragmas=["secure_delete = FAST"],  # a deleted message may have captured credentials
)


def stored_size(*columns: int) -> int:
    """Return the bytes that a row takes at most: SQLite puts a large one on pages of its own.

    `columns`: the bytes of each.
    """
    size = sum(columns)
    if size <= SMALL:
        return size + size // 3 + 100
    return (size // (PAGE - 4) + 1) * PAGE_IN_MEMORY + 600


class StoreError(HostError):
    """The inbox cannot store or read its mail. The text is one sentence."""


class Database:
    """An open database, for any thread, one at a time. `file`: None for one in memory; `name`: of both, for errors."""

    def __init__(self, connection: sqlite3.Connection, file: DatabaseFile | None, name: str) -> None:
        self._connection = connection
        self._file = file
        self._name = name

    def close(self) -> None:
        """Close the database. Idempotent."""
        self._connection.close()
        if self._file is not None:
            self._file.close()

    def execute(self, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run one statement. Raises sqlite3.Error."""
        return self._connection.execute(query, values)

    def execute_many(self, query: str, rows: Sequence[Sequence[object]]) -> None:
        """Run a statement once for each row. Raises sqlite3.Error."""
        self._connection.executemany(query, rows)

    def change(self, work: Callable[[], T], *, deletes: bool = False) -> T:
        """Run `work` in a transaction, and return its result. Raises StoreError, and then nothing has changed.

        `work` may run twice: without room the second time has all the room that the log can give. `deletes`: it may
        take the spare room too.
        """
        with self.translated():
            self._check()
            try:
                result = self._commit(work, deletes)
            except (sqlite3.Error, OSError) as error:
                if self._file is None or not is_for_want_of_room(error):
                    raise
                result = self._commit_in_little_room(work, deletes)
            self._check()  # once more: what was committed to a removed file is lost
            return result

    def give_back(self) -> None:
        """Give the room of deleted messages back to the disk now: SQLite would do so after some more commits."""
        if self._file is not None:
            with suppress(sqlite3.Error):
                self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            with suppress(OSError):
                self._file.grow(self._size() + SPARE)
            self._file.keep_log_room()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise StoreError for an error of SQLite or of the disk."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else error
            raise StoreError(f"the inbox's database in {self._name} failed: {reason}") from error

    def _check(self) -> None:
        if self._file is not None and not self._file.is_there():
            raise StoreError(f"{self._name} was removed or replaced while the host runs; restart the host")

    def _commit(self, work: Callable[[], T], deletes: bool) -> T:
        self.execute("BEGIN IMMEDIATE")
        try:
            result = work()
            size = 0
            if self._file is not None:
                size = self._size()
                self._file.grow(size if deletes else size + SPARE)
            self.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            raise
        if self._file is not None:  # each time that SQLite empties the log, it cuts the file
            with suppress(OSError):
                self._file.grow(size + SPARE)
        return result

    def _size(self) -> int:
        """Return the bytes of the database after the commit: its free pages go."""
        (pages,) = self.execute("PRAGMA page_count").fetchone()
        (free,) = self.execute("PRAGMA freelist_count").fetchone()
        return int(pages - free) * PAGE

    def _commit_in_little_room(self, work: Callable[[], T], deletes: bool) -> T:
        """Commit after the log has begun anew. Move pages in steps that fit into the log."""
        self.give_back()
        self.execute("PRAGMA auto_vacuum = INCREMENTAL")
        try:
            return self._commit(work, deletes)
        finally:
            with suppress(sqlite3.Error):
                self._vacuum()
                self.execute("PRAGMA auto_vacuum = FULL")
            self.give_back()

    def _vacuum(self) -> None:
        """Give every free page back, as far as there is room."""
        before = 0
        while (free := self.execute("PRAGMA freelist_count").fetchone()[0]) and free != before:
            before = free
            # `execute` would free one page: in Python 3.11 it ends at the first row, which has no column.
            self._connection.executescript(f"PRAGMA incremental_vacuum({STEP})")
            self.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def connect(path: str) -> Database:
    """Open the database, and create its tables in a new one. Raises StoreError.

    `path`: of its file, empty for one in memory.
    """
    if not path:
        return Database(open_in_memory(_SCHEMA), None, "memory")
    name = f"inbox.path {path}"
    try:
        return Database(*open_file(path, name, _SCHEMA), name)
    except CannotOpen as error:
        raise StoreError(str(error)) from error.__cause__
