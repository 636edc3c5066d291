"""Opening a SQLite database that belongs to one host: checked, locked, with a write-ahead log (WAL).

The lock stays until the database closes: a second host gets one sentence. Each commit is written to the disk, so what
is committed survives a killed host and a power failure. A file that is not ours stays as it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ..errors import HostError, reason_of
from .file import FULL, LOG_ROOM, DatabaseFile

PAGE: Final = 4096
"""Bytes of a page of a database."""


class Schema(NamedTuple):
    """The tables of an application.

    `application`: the file's application_id. `version`: of the tables, in the file's user_version. `tables`: statements
    that create them, separated by semicolons. `columns`: those of each table, for the check. `since`: the version that
    has a table first, 1 by default. `auto_vacuum`: as SQLite returns it. `pragmas`: what else is set.
    """

    application: int
    version: int
    tables: str
    columns: Mapping[str, str]
    since: Mapping[str, int] = {}
    auto_vacuum: int = 0
    pragmas: Sequence[str] = ()


class CannotOpen(HostError):
    """The database cannot be used. The text is one sentence."""


class _Foreign(Exception):
    """The database is not ours, or not whole. The text says so, as the end of a sentence."""


def open_in_memory(schema: Schema) -> sqlite3.Connection:
    """Return an empty database in memory."""
    return _prepared(_opened(":memory:"), schema)


def open_file(path: str, name: str, schema: Schema) -> tuple[sqlite3.Connection, DatabaseFile]:
    """Open the database in a file, which is made where there is none. `name`: of the file, for errors.

    Close the connection before the DatabaseFile. Raises CannotOpen.
    """
    try:
        file = DatabaseFile(path)
    except OSError as error:
        raise CannotOpen(f"cannot open {name}: {reason_of(error)}") from error
    connection = None
    try:
        connection = _opened(file.path)
        _prepared(connection, schema)
        file.opened()
    except BaseException as error:
        if connection is not None:
            connection.close()
        file.close()
        if isinstance(error, sqlite3.Error):
            raise CannotOpen(_explained(error, name)) from error
        if isinstance(error, OSError):
            raise CannotOpen(f"cannot open {name}: {reason_of(error)}") from error
        raise CannotOpen(f"{name} {error}") from None if isinstance(error, _Foreign) else error
    return connection, file


def _opened(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, check_same_thread=False, isolation_level=None)


def _prepared(connection: sqlite3.Connection, schema: Schema) -> sqlite3.Connection:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute(f"PRAGMA page_size = {PAGE}")
    # Reads come before the first write: a foreign file stays as it is.
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != schema.application:
        raise _Foreign("is a database of something else; name another file")
    if tables and version > schema.version:
        known = f"version {version} of its tables, this one knows {schema.version}"
        raise _Foreign(f"was written by a newer rrpy ({known})")
    if tables:
        _check_tables(connection, schema, version)
    # It writes: a full disk has no room for it.
    if connection.execute("PRAGMA auto_vacuum").fetchone() != (schema.auto_vacuum,):
        connection.execute(f"PRAGMA auto_vacuum = {schema.auto_vacuum}")
    for pragma in (
        "journal_mode = WAL",
        f"journal_size_limit = {LOG_ROOM}",
        "synchronous = FULL",  # what is committed survives a power failure
        *schema.pragmas,
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    connection.execute("BEGIN EXCLUSIVE")
    if not tables:
        connection.execute(f"PRAGMA application_id = {schema.application}")
    if not tables or version < schema.version:
        for statement in schema.tables.strip().split(";"):
            connection.execute(statement.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
        connection.execute(f"PRAGMA user_version = {schema.version}")
    connection.execute("COMMIT")
    return connection


def _check_tables(connection: sqlite3.Connection, schema: Schema, version: int) -> None:
    """Raise _Foreign for a database of ours that lacks a table or a column."""
    for table, columns in schema.columns.items():
        if version < schema.since.get(table, 1):
            continue
        try:
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 0")  # noqa: S608 - our own words
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:  # the file itself cannot be read
                raise
            raise _Foreign(f"is damaged ({error}); name another file") from None


def is_for_want_of_room(error: sqlite3.Error | OSError) -> bool:
    """Return whether the disk is full. For a quota SQLite has SQLITE_IOERR_WRITE."""
    if isinstance(error, OSError):
        return error.errno in FULL
    code = getattr(error, "sqlite_errorcode", 0)
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)


def _explained(error: sqlite3.Error, name: str) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"{name} is in use by another process; stop it, or name another file"
    if code == sqlite3.SQLITE_NOTADB:
        return f"{name} is not a SQLite database; name another file"
    return f"cannot use {name}: {error}"
