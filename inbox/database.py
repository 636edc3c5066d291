"""The inbox's SQLite database: opened, checked and locked.

A file belongs to one host. `connect` locks it until the connection closes: a second host gets one clear sentence, and
the totals in memory stay true. The journal is a write-ahead log (WAL): once its client has 250, a message survives a
killed host; a power failure may cost the last moments.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from ..container.errors import HostError, reason_of
from ..container.ownership import open_own

VERSION: Final = 1
"""The version of the tables below, in the file's user_version."""
APPLICATION: Final = 0x7272_696E
"""`rrin`: the file's application_id, which names its application."""

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
"""
# Part 0 of a message's contents is the message as it arrived, the others are its attachments, decoded.


class StoreError(HostError):
    """The inbox cannot store or read its mail. The text is one sentence."""


def connect(path: str) -> sqlite3.Connection:
    """Open the database, and create its tables in a new one. Raises StoreError.

    `path`: of its file, empty for one in memory. The connection is for any thread, one at a time.
    """
    if not path:
        return _prepared(sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None))
    try:
        _create_private(Path(path))
        connection = sqlite3.connect(path, timeout=0, check_same_thread=False, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot open inbox.path {path}: {reason_of(error)}") from error
    try:
        return _prepared(connection)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise StoreError(_explained(error, path)) from error
        raise StoreError(f"inbox.path {path} {error}") from None if isinstance(error, _Foreign) else error


class _Foreign(Exception):
    """The database is not ours. The text says whose it is."""


def _create_private(path: Path) -> None:
    """Create the file, for its owner alone, unless it exists. SQLite gives its other files the same mode."""
    os.close(open_own(str(path), os.O_RDWR | os.O_CREAT, 0o600))


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    for pragma in ("locking_mode = EXCLUSIVE", "auto_vacuum = INCREMENTAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    # Reads come before the first write: a foreign file stays as it is.
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION:
        raise _Foreign("is a database of something else; name another file")
    if tables and version > VERSION:
        raise _Foreign(f"was written by a newer rrpy (version {version} of its tables, this one knows {VERSION})")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")  # a deleted message may have captured credentials
    connection.execute("BEGIN EXCLUSIVE")
    if not tables:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    return connection


def _explained(error: sqlite3.Error, path: str) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"inbox.path {path} is in use by another process; stop it, or name another file"
    if code == sqlite3.SQLITE_NOTADB:
        return f"inbox.path {path} is not a SQLite database; name another file"
    return f"cannot use inbox.path {path}: {error}"
