"""The inbox's SQLite database: opened, checked and owned.

A file belongs to one host: the lock on it is taken when it is opened and kept, so that a second host gets one clear
sentence, and what is counted in memory stays true. It is written ahead (WAL): a message is safe from a killed host when
its client gets 250, and from a power failure some moments later.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from ..container.errors import HostError, reason_of

VERSION: Final = 1
"""Of the tables below, in the file's user_version."""
APPLICATION: Final = 0x7272_696E
"""`rrin`: the file's application_id, which says whose it is."""

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
# Part 0 of a message's contents is the message as it came, the others are its attachments, decoded.


class StoreError(HostError):
    """The inbox cannot keep or read its mail. The text is one sentence."""


def connect(path: str) -> sqlite3.Connection:
    """Open the database, empty for one in memory, and make its tables where it is new. Raises StoreError.

    The connection may be used from any thread, by one at a time.
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
    """A database that is not ours; the text says what it is."""


def _create_private(path: Path) -> None:
    """Make the file, for its owner alone; SQLite gives the files beside it the same mode. One that is there stays."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    for pragma in ("locking_mode = EXCLUSIVE", "auto_vacuum = INCREMENTAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    # Read before anything is written: a file of somebody else is left as it is.
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION:
        raise _Foreign("is a database of something else; name another file")
    if tables and version > VERSION:
        raise _Foreign(f"was written by a newer rrpy (version {version} of its tables, this one knows {VERSION})")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")  # captured credentials are among what is deleted
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
