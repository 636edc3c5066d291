"""Large payloads as files beside the spool, in one folder. The jobs of a commit share a file, named by its first job.

A file and its folder are on the disk before the rows of its jobs are. The rows go before it does. So a file without a
row is what a killed host left, and goes at the next start. A file has one payload, or some of `SHARED` bytes together:
to make and to flush a file costs more than its bytes do.

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

LARGE: Final = 64 * 1024
"""Bytes of a payload above which it is in a file: below it rows are faster."""
SHARED: Final = 1024 * 1024
"""Bytes of a file that payloads share. It stays as long as the last of them."""

_ROOT: Final = 0
_BLOCK: Final = 4096
"""Bytes; the begin and the size of a write past the page cache are multiples."""


class Bodies:
    """The files. Synchronous, for one thread; raises OSError. The folder is made with the first file."""

    def __init__(self, spool: str) -> None:
        self._path = Path(spool + ".bodies")
        self._new: list[int] = []
        self._buffer: memoryview | None = None
        self._descriptor = -1  # of the last new file, while payloads come
        self._size = self._filled = 0  # its bytes, and those of them that are in the buffer alone

    def add(self, number: int, payload: bytes) -> tuple[int, int]:
        """Take the payload of a new job; return its file, and where it begins there. `flush` makes it safe."""
        if self._descriptor < 0 or self._size + len(payload) > SHARED:
            self._end_file()
            self._begin_file(number)
        start = self._size
        buffer = self._buffer = self._buffer or memoryview(mmap.mmap(-1, SHARED))
        left = memoryview(payload)
        while left:
            size = min(len(left), SHARED - self._filled)
            buffer[self._filled : self._filled + size] = left[:size]
            self._filled += size
            left = left[size:]
            if self._filled == SHARED:
                self._write(buffer)
        self._size += len(payload)
        return self._new[-1], start

    def flush(self) -> None:
        """Write the new files and their names to the disk."""
        self._end_file()
        if self._new:
            with self._folder() as folder:
                os.fsync(folder)

    def _begin_file(self, file: int) -> None:
        if not self._path.is_dir():
            self._path.mkdir(mode=0o700)
            _flush_folder(self._path.parent)
        with self._folder() as folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(str(file), flags, 0o600, dir_fd=folder)
        self._new.append(file)
        self._size = self._filled = 0

    def _end_file(self) -> None:
        if self._descriptor >= 0:
            if self._buffer is not None:
                self._write(self._buffer[: self._filled])
            os.fsync(self._descriptor)
            self._close_file()

    def _close_file(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _write(self, left: memoryview) -> None:
        """Write the begin of the buffer: whole blocks past the page cache where the file system allows that."""
        self._filled = 0
        try:
            with _direct(self._descriptor):
                while len(left) >= _BLOCK:
                    left = left[os.write(self._descriptor, left[: len(left) // _BLOCK * _BLOCK]) :]
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        while left:
            left = left[os.write(self._descriptor, left) :]

    def keep(self) -> None:
        """Keep the new files: their rows are on the disk."""
        self._new.clear()

    def forget(self) -> None:
        """Delete the new files: their rows are not there."""
        self._close_file()
        for file in self._new:
            self.delete(file)
        self._new.clear()

    def read(self, file: int, start: int, length: int) -> bytes:
        """Return a payload, also of a job of this commit. `length`: -1 for all that the file has from `start` on."""
        if self._descriptor >= 0 and file == self._new[-1]:
            self._end_file()  # its last bytes are in the buffer
        with self._folder() as folder:
            descriptor = os.open(str(file), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as opened:
            opened.seek(start)
            payload = opened.read(length)
        if len(payload) < length:
            raise OSError(errno.EIO, f"its file has {len(payload)} of its {length} bytes")
        return payload

    def delete(self, file: int) -> None:
        """Delete a file whose rows are gone. One that stays goes at the next start."""
        with suppress(OSError), self._folder() as folder:
            os.unlink(str(file), dir_fd=folder)

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
