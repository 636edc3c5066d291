"""Whether a path is safe from other users: for a host that works as root in folders of theirs."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

_ROOT: Final = 0
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def replaceable_part(path: Path) -> Path | None:
    """Return the first folder or link of `path` that another user may replace or fill; None where there is none.

    Another user is neither root nor the user of this process. A folder is safe when one of these two owns it, and when
    others cannot write in it or have only what they own there (its sticky bit). The links of `path` are followed.
    A part that cannot be looked at ends the search: in a safe folder only root and this process can make it.
    """
    # First the links themselves; where these lead can change no more when they are safe.
    return _first_replaceable(path.absolute()) or _first_replaceable(Path(os.path.realpath(path)))


def open_own(path: str, flags: int, mode: int = 0o666) -> int:
    """Open a file as `os.open` does, but as root follow no link of another user: an `opener` for `open`.

    It does not look at the folders on the way. Raises OSError.
    """
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno != errno.ELOOP:
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
    """Return whether others may replace what they do not own in a folder of this mode."""
    return bool(not stat.S_ISLNK(mode) and mode & _OTHERS_WRITE and not mode & stat.S_ISVTX)
