"""Large payloads as files beside the spool: one folder, a file for each job, named by the job's number.

A file and its folder are on the disk before the job's row is. A row goes before its file does. So a file without a row
is what a killed host left, and goes at the next start.

The bytes go to the disk through one aligned buffer, past the page cache: so each byte is copied once, and a flood of
large mail takes no memory from others. Where the file system refuses that, they go the usual way.

Every operation is relative to the descriptor of the folder. A host that runs as root uses no folder, and follows no
link, of another user: else that user leads it to any file.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ....container.ownership import open_own

LARGE: Final = 256 * 1024
"""Bytes of a payload above which it is a file: below it rows are faster."""

_ROOT: Final = 0
_BLOCK: Final = 4096
"""Bytes; the begin and the size of a write past the page cache are multiples."""
_BUFFER: Final = 1024 * 1024


class Bodies:
    """The files. Synchronous, for one thread; raises OSError. The folder is made with the first file."""

    def __init__(self, spool: str) -> None:
        self._path = Path(spool + ".bodies")
        self._new: list[int] = []
        self._buffer: memoryview | None = None

    def write(self, number: int, payload: bytes) -> None:
        """Write a payload to the disk; `flush` makes its name safe too."""
        if not self._path.is_dir():
            self._path.mkdir(mode=0o700)
            _flush_folder(self._path.parent)
        with self._folder() as folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(str(number), flags, 0o600, dir_fd=folder)
        self._new.append(number)
        try:
            left = self._write_blocks(descriptor, memoryview(payload))
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _write_blocks(self, descriptor: int, left: memoryview) -> memoryview:
        """Write whole blocks past the page cache, as far as the file system allows; return what is left."""
        buffer = self._buffer = self._buffer or memoryview(mmap.mmap(-1, _BUFFER))
        try:
            with _direct(descriptor):
                while len(left) >= _BLOCK:
                    size = min(len(left) // _BLOCK * _BLOCK, _BUFFER)
                    buffer[:size] = left[:size]
                    left = left[os.write(descriptor, buffer[:size]) :]
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        return left

    def flush(self) -> None:
        """Write the names of new files to the disk."""
        if self._new:
            with self._folder() as folder:
                os.fsync(folder)

    def keep(self) -> None:
        """Keep the new files: their rows are on the disk."""
        self._new.clear()

    def forget(self) -> None:
        """Delete the new files: their rows are not there."""
        for number in self._new:
            self.delete(number)
        self._new.clear()

    def read(self, number: int) -> bytes:
        """Return a payload."""
        with self._folder() as folder:
            descriptor = os.open(str(number), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def delete(self, number: int) -> None:
        """Delete a payload whose row is gone. One that stays goes at the next start."""
        with suppress(OSError), self._folder() as folder:
            os.unlink(str(number), dir_fd=folder)

    def delete_orphans(self, is_known: Callable[[int], bool]) -> int:
        """Delete the files without a row; return their number. Files with other names are not ours."""
        orphans = 0
        with suppress(FileNotFoundError), self._folder() as folder, os.scandir(folder) as found:
            for each in found:
                if each.name.isascii() and each.name.isdigit() and not is_known(int(each.name)):
                    self.delete(int(each.name))
                    orphans += 1
        return orphans

    @contextmanager
    def _folder(self) -> Iterator[int]:
        """Open the folder, and give its descriptor."""
        descriptor = open_own(str(self._path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            if os.geteuid() == _ROOT != os.fstat(descriptor).st_uid:
                raise PermissionError(errno.EPERM, f"{self._path} is a folder of another user, which root does not use")
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def _direct(descriptor: int) -> Iterator[None]:
    """Let a file's bytes pass the page cache by. Raises OSError (EINVAL) where the file system cannot."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | getattr(os, "O_DIRECT", 0))  # macOS has none
    try:
        yield
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
