"""The folder of one host's attachments: made, filled and removed by descriptors.

What we want: no user who renames folders or puts links there leads a host, perhaps root, to another file. A start
removes the folders of killed hosts and nothing else. What does not work: paths, because they may lead elsewhere a
moment later; a lock on a file, because programs that clean up temporary files remove the file. What we do:

- Every operation is relative to the descriptor of a folder, and follows no link.
- The lock is on the folder itself, while the host has its descriptor. The host makes the file MARK after it took the
  lock. So a folder with the mark and without a lock is that of a dead host. Every other folder stays.
- The folder belongs to the host. Where workers run as another user, the files are that user's. That user can open a
  file by its name, and can neither list, rename nor add files.

What can still fail: a host that is killed before it makes the mark leaves an empty folder.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final

from ...container.ownership import replaceable_part

PREFIX: Final = "host-"
MARK: Final = ".rrpy-attachments"

_PRIVATE: Final = 0o700
_PASSABLE: Final = 0o711
_NEW: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOREIGN: Final = "it is there already, and not a folder of this user alone; set attachment_storage.temp_dir"


class Folder:
    """A new folder of this host in the folder `common`, which is made where it is missing.

    `private`: refuse a `common` that another user can read or write. `uid`: the owner of the files, None for the host's
    user. `path`: absolute. The descriptors and the lock live as long as this object: a thread that writes keeps them.
    """

    def __init__(self, common: Path, *, private: bool, uid: int | None) -> None:
        """Make and lock it. Raises OSError, with nothing left over."""
        self._uid = uid
        self._common = _open_common(common, private, uid)
        weakref.finalize(self, os.close, self._common)
        self._name = f"{PREFIX}{secrets.token_hex(8)}"
        self.path = common / self._name
        os.mkdir(self._name, _PRIVATE, dir_fd=self._common)
        try:
            self._folder = os.open(self._name, _FOLDER | os.O_NOFOLLOW, dir_fd=self._common)
            weakref.finalize(self, os.close, self._folder)
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if uid is not None:
                os.fchmod(self._folder, _PASSABLE)
            self._mark()
        except BaseException:
            os.rmdir(self._name, dir_fd=self._common)
            raise

    def is_there(self) -> bool:
        """Return whether `path` still leads to this folder. Makes the mark again where it is missing."""
        try:
            found = self.path.lstat()
        except OSError:
            return False
        if not os.path.samestat(found, os.fstat(self._folder)):
            return False
        self._mark()
        return True

    def write(self, name: str, content: bytes) -> Path:
        """Write a new file; return its path. Raises OSError, with nothing left over."""
        descriptor = os.open(name, _NEW, 0o600, dir_fd=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if self._uid is not None:
                    os.fchown(descriptor, self._uid, -1)
                file.write(content)
        except BaseException:
            self.unlink(name)
            raise
        return self.path / name

    def unlink(self, name: str) -> None:
        """Remove a file; a missing one is accepted. Raises OSError."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder)

    def remove(self) -> None:
        """Remove the folder with everything in it; a file that cannot be removed stays. May be called twice."""
        with suppress(OSError):
            _remove(self._name, self._folder, self._common)

    def remove_dead(self) -> list[Path]:
        """Remove the folders of dead hosts beside this one; return their paths."""
        return [self.path.with_name(name) for name in _names(self._common) if _remove_if_dead(name, self._common)]

    def _mark(self) -> None:
        with suppress(FileExistsError):
            os.close(os.open(MARK, _NEW, 0o600, dir_fd=self._folder))


def _open_common(path: Path, private: bool, uid: int | None) -> int:
    """Return a descriptor of the common folder. Makes it where it is missing. Raises OSError."""
    if uid is not None and (part := replaceable_part(path)):
        hint = "name a folder that only root can change, such as one in /var/lib"
        raise PermissionError(errno.EPERM, f"users other than root can change {part}; {hint}")
    try:
        path.mkdir(mode=_PRIVATE, parents=not private)
        made = True
    except FileExistsError:
        made = False
    try:
        common = os.open(path, _FOLDER | (os.O_NOFOLLOW if private else 0))
    except OSError as error:
        if private:
            raise PermissionError(errno.EPERM, _FOREIGN) from error
        raise
    try:
        found = os.fstat(common)
        if private and (found.st_uid != os.geteuid() or found.st_mode & 0o777 not in (_PRIVATE, _PASSABLE)):
            raise PermissionError(errno.EPERM, _FOREIGN)
        if uid is not None and (private or made):
            os.fchmod(common, _PASSABLE)
    except BaseException:
        os.close(common)
        raise
    return common


def _names(common: int) -> list[str]:
    try:
        return [name for name in os.listdir(common) if name.startswith(PREFIX)]
    except OSError:  # it is a folder that we may not list
        return []


def _remove_if_dead(name: str, common: int) -> bool:
    """Remove a folder when it has our mark and is not locked; return whether it is removed."""
    try:
        folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=common)
    except OSError:
        return False
    try:
        mark = os.stat(MARK, dir_fd=folder, follow_symlinks=False)  # before the lock, which a living host takes first
        if not stat.S_ISREG(mark.st_mode) or {mark.st_uid, os.fstat(folder).st_uid} != {os.geteuid()}:
            return False
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(name, folder, common)
    except OSError:
        return False
    finally:
        os.close(folder)
    return True


def _remove(name: str, folder: int, common: int) -> None:
    """Remove a folder with everything in it. Raises OSError when something stays, and then its mark stays too."""
    for entry in set(os.listdir(folder)) - {MARK}:
        try:
            os.unlink(entry, dir_fd=folder)
        except OSError:  # a folder that a worker has made, for one
            shutil.rmtree(entry, ignore_errors=True, dir_fd=folder)
    if set(os.listdir(folder)) <= {MARK}:
        with suppress(FileNotFoundError):
            os.unlink(MARK, dir_fd=folder)
    os.rmdir(name, dir_fd=common)
