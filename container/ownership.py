"""Paths that other users can change: where a host that runs as root must not follow them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

_ROOT: Final = 0
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def replaceable_part(path: Path) -> Path | None:
    """Return the first folder or link on the way of `path` that another user can replace or fill. None: there is none.

    Another user is neither root nor the user of this process. A folder is safe when one of these two owns it, and
    others can neither write there nor replace files of root (its sticky bit). Links are checked, then followed.
    A missing part ends the search: in a safe folder only root and this process can make it.
    """
    # First the links: when they are safe, their targets stay the same until the second look.
    return _first_replaceable(path.absolute()) or _first_replaceable(Path(os.path.realpath(path)))


def open_own(path: str, flags: int, mode: int = 0o666) -> int:
    """Open a file as `os.open` does, but as root follow no link of another user. It is an `opener` for `open`.

    It checks the file's own name, not the folders on the way. Raises OSError.
    """
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError:
        if not Path(path).is_symlink():
            raise
    if os.geteuid() == _ROOT != os.lstat(path).st_uid:
        raise PermissionError(errno.EPERM, "it is a link of another user, which root does not follow")
    return os.open(path, flags | os.O_CLOEXEC, mode)


def _first_replaceable(path: Path) -> Path | None:
    for part in (*reversed(path.parents), path):
        try:
            found = part.lstat()
        except OSError:
            return None
        if found.st_uid not in {_ROOT, os.geteuid()} or _is_open(found.st_mode):
            return part
    return None


def _is_open(mode: int) -> bool:
    """Return whether others can replace files of its owner in a folder of this mode."""
    return bool(not stat.S_ISLNK(mode) and mode & _OTHERS_WRITE and not mode & stat.S_ISVTX)
