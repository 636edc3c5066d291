"""Who may connect to a unix socket of the host: the mode, the owner and the group of its file.

The file is 0600 and the host's from its first moment (sockets.py); then it gets these. The mode comes first: its new
owner could put a link in the place of the file, and a mode follows links. A folder that another user can change is
refused, because root would give away what that user puts there.
"""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from typing import Final, NamedTuple

from ..ownership import replaceable_part

PRIVATE: Final = 0o600
MAX_ID: Final = 2**32 - 2
"""The largest number of a user or a group; the one above it means "no change"."""
_UNCHANGED: Final = -1


class SocketAccess(NamedTuple):
    """The mode of a socket's file, and the numbers of its owner and its group; -1: the host's own."""

    mode: int = PRIVATE
    uid: int = _UNCHANGED
    gid: int = _UNCHANGED

    def give(self, path: str) -> None:
        """Give the file at `path`, which only the host can use, this access.

        Raises OSError, and ValueError, in one sentence, for a folder where another user could swap the file.
        """
        if self == SocketAccess():
            return
        if part := replaceable_part(Path(path).parent):
            hint = "name a file in a folder that only root can change, such as /run"
            raise ValueError(f"users other than root can change {part}; {hint}")
        Path(path).chmod(self.mode)
        if self.uid not in (_UNCHANGED, os.geteuid()) or self.gid != _UNCHANGED:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def user_id(user: str) -> int:
    """Return the number of a system user, by name or by number. Raises ValueError for an unknown name."""
    try:
        return pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):
        if is_id(user):
            return int(user)
    raise ValueError("there is no such system user")


def group_id(group: str) -> int:
    """Return the number of a system group, as `user_id` does for a user."""
    try:
        return grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        if is_id(group):
            return int(group)
    raise ValueError("there is no such system group")


def is_id(text: str) -> bool:
    """Return whether a text is the number of a user or a group."""
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_ID
