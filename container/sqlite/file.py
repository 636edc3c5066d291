"""The file of a SQLite database: its room on the disk, and whether it is still there.

What we want: on a full disk a row can be deleted, and its room is free at once. No row goes into a file that was
removed.
What does not work: to leave the room to SQLite. Its write-ahead log keeps commits until the database's file has room
for them; without that room the log grows, and in the end a deletion finds no room either.
What we do: the database's file grows before a commit, so the log can always be written back and begin anew. The log's
file keeps LOG_ROOM bytes, so a deletion always has its room.
What can still fail: a file system that writes changed pages to new places needs room for a deletion. So does one that
gives a file no room in advance, as on macOS.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..ownership import open_own

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors for want of room. After any other one the file system cannot give room in advance."""
LOG_ROOM: Final = 1024 * 1024
"""Bytes that the log's file keeps."""


class DatabaseFile:
    """The file at `path`, created for its owner alone. SQLite gives its other files the same mode. Raises OSError.

    `path`: absolute, without links, once it is open. Close this after the database: at the first close of a descriptor
    the system releases the database's lock.
    """

    def __init__(self, path: str) -> None:
        self._descriptor = open_own(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.path = os.path.realpath(path)
        self._log = self.path + "-wal"
        self._files: list[tuple[Path, int, int]] = []

    def opened(self) -> None:
        """Called once the database and its log are open. Raises OSError."""
        self._files = [(path, *_identity(path)) for path in (Path(self.path), Path(self._log))]
        self.keep_log_room()

    def is_there(self) -> bool:
        """Return whether the database and its log are still the files that were opened."""
        try:
            return all(_identity(path) == tuple(identity) for path, *identity in self._files)
        except OSError:
            return False

    def size(self) -> int:
        """Return the bytes of the database's file."""
        return os.fstat(self._descriptor).st_size

    def grow(self, size: int) -> None:
        """Take room for a database of `size` bytes. Raises OSError without room."""
        if self.size() < size:
            _allocate(self._descriptor, size)

    def keep_log_room(self) -> None:
        """Take room for the log, where there is some."""
        with suppress(OSError):
            descriptor = os.open(self._log, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if os.fstat(descriptor).st_size < LOG_ROOM:
                    _allocate(descriptor, LOG_ROOM)
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _allocate(descriptor: int, size: int) -> None:
    """Take room for `size` bytes where the file system can do so. Raises OSError without room."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno in FULL:
                raise
