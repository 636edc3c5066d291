"""Large payloads as files beside the spool: one folder, a file for each job, named by the job's number.

A file and its folder are on the disk before the job's row is. A row goes before its file does. So a file without a row
is what a killed host left, and goes at the next start.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from ....container.ownership import open_own

LARGE: Final = 256 * 1024
"""Bytes of a payload above which it is a file: below it rows are faster."""


class Bodies:
    """The files. Synchronous, for one thread; raises OSError. The folder is made with the first file."""

    def __init__(self, spool: str) -> None:
        self._folder = Path(spool + ".bodies")
        self._new: list[Path] = []

    def write(self, number: int, payload: bytes) -> None:
        """Write a payload to the disk; `flush` makes its name safe too."""
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700)
            _flush_folder(self._folder.parent)
        path = self._path(number)
        descriptor = open_own(str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._new.append(path)
        try:
            left = memoryview(payload)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def flush(self) -> None:
        """Write the names of new files to the disk."""
        if self._new:
            _flush_folder(self._folder)

    def keep(self) -> None:
        """Keep the new files: their rows are on the disk."""
        self._new.clear()

    def forget(self) -> None:
        """Delete the new files: their rows are not there."""
        for path in self._new:
            with suppress(OSError):
                path.unlink()
        self._new.clear()

    def read(self, number: int) -> bytes:
        """Return a payload."""
        return self._path(number).read_bytes()

    def delete(self, number: int) -> None:
        """Delete a payload whose row is gone. One that stays goes at the next start."""
        with suppress(OSError):
            self._path(number).unlink()

    def delete_orphans(self, is_known: Callable[[int], bool]) -> int:
        """Delete the files without a row; return their number. Files with other names are not ours."""
        orphans = 0
        with suppress(FileNotFoundError), os.scandir(self._folder) as found:
            for each in found:
                if each.name.isascii() and each.name.isdigit() and not is_known(int(each.name)):
                    self.delete(int(each.name))
                    orphans += 1
        return orphans

    def _path(self, number: int) -> Path:
        return self._folder / str(number)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
