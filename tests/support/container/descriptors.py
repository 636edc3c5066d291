"""The descriptors of this process on a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def on_file(path: Path) -> list[int]:
    """Return this process's descriptors on a regular file."""
    inode = path.stat().st_ino
    return [number for number in range(1024) if _inode(number) == inode]


def _inode(descriptor: int) -> int | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_ino if stat.S_ISREG(found.st_mode) else None
