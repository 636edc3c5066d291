"""Attachments as files, for workers on the same machine (`smtp.attachment_storage`, mode `tempfile`).

What we want: the host chooses a file's name, not the mail. No other user can read the file. It is removed after a
while, also when the host was killed. What we do: every host has a folder of its own in a common one, and holds a lock
in it while it lives. At its start a host removes every folder whose lock is free, because its host is dead.

    <temp_dir>/host-<random>/lock
    <temp_dir>/host-<random>/<id of the message>-<number>

The default of the common folder is `rrpy-<uid>` in the system's folder for temporary files. The host uses it only when
it is a real folder of that user alone. Where workers run as another user, the folders and files are that user's. What
can still fail: a worker that keeps a path for longer than `cleanup_after`, or than the host lives.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ...container.errors import HostError, reason_of
from ...container.protocols import Logger
from ...mime.message import Attachment

_PREFIX: Final = "host-"
_LOCK: Final = "lock"


class StorageError(HostError):
    """The folder for attachments cannot be used."""

    def __init__(self, folder: Path, reason: OSError | str) -> None:
        super().__init__(f"smtp.attachment_storage: {folder} cannot be used for attachments: {reason_of(reason)}")


class Storage:
    """The attachments' files of one host, from `open` to `close`.

    `temp_dir`: the common folder, None for the default. `cleanup_after`: seconds before a file is removed. `uid`: the
    user of the workers, None for the host's own.
    """

    def __init__(self, temp_dir: str | None, cleanup_after: float, log: Logger, uid: int | None = None) -> None:
        self._uid = uid
        owner = os.geteuid() if uid is None else uid
        self._private = temp_dir is None
        self._common = Path(temp_dir or Path(tempfile.gettempdir()) / f"rrpy-{owner}").absolute()
        self._cleanup_after = cleanup_after
        self._log = log
        self._files: deque[tuple[float, list[Path]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._lock = -1
        self.folder = self._common

    def open(self) -> None:
        """Make this host's folder; remove the folders of dead hosts. Raises StorageError."""
        try:
            self._open_common()
            common = os.open(self._common, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
            try:
                # One host at a time, so that a folder without a lock is dead, and not one that is being made.
                fcntl.flock(common, fcntl.LOCK_EX)
                for folder in self._common.glob(f"{_PREFIX}*"):
                    self._remove_if_dead(folder)
                self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._common))
                self._lock = os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._give_to_user(self.folder)
            finally:
                os.close(common)
        except OSError as error:
            raise StorageError(self._common, error) from error

    def close(self) -> None:
        """Remove everything of this host. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
        lock, self._lock = self._lock, -1  # no file is written from here on
        if lock >= 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(lock)

    def write(self, message_id: str, attachments: Sequence[Attachment], paths: list[Path]) -> None:
        """Write the contents, and add their paths in order. Blocks. Raises OSError, with every file removed."""
        try:
            for number, attachment in enumerate(attachments, 1):
                if self._lock < 0:
                    raise OSError(errno.ESHUTDOWN, "the host is stopping")
                path = self.folder / f"{message_id}-{number}"
                file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
                paths.append(path)
                with os.fdopen(file, "wb") as opened:
                    opened.write(attachment.content())
                self._give_to_user(path)
        except BaseException:
            self.remove(paths)
            raise
        finally:
            if self._lock < 0:  # `close` came in between: remove a file that was made after it
                shutil.rmtree(self.folder, ignore_errors=True)

    def remove_later(self, paths: list[Path]) -> None:
        """Remove these files after `cleanup_after`. Call it in the event loop."""
        loop = asyncio.get_running_loop()
        self._files.append((loop.time() + self._cleanup_after, paths))
        if self._timer is None:
            self._timer = loop.call_at(self._files[0][0], self._clean_up)

    def remove(self, paths: Sequence[Path]) -> None:
        """Remove files now. A missing one is accepted; one that cannot be removed is logged."""
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self._log.warning("an attachment cannot be removed", path=str(path), error=str(error))

    def _clean_up(self) -> None:
        loop = asyncio.get_running_loop()
        while self._files and self._files[0][0] <= loop.time():
            self.remove(self._files.popleft()[1])
        self._timer = loop.call_at(self._files[0][0], self._clean_up) if self._files else None

    def _open_common(self) -> None:
        if not self._private:
            self._common.mkdir(mode=0o700, parents=True, exist_ok=True)
            return
        try:
            self._common.mkdir(mode=0o700)
            self._give_to_user(self._common)
        except FileExistsError:
            found = self._common.lstat()
            owners = {os.geteuid(), self._uid if self._uid is not None else os.geteuid()}
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
                reason = "it is there already, and not a folder of this user alone; set attachment_storage.temp_dir"
                raise StorageError(self._common, reason) from None

    def _remove_if_dead(self, folder: Path) -> None:
        """Remove another host's folder when its lock is free, or missing because the host died while it stopped."""
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            shutil.rmtree(folder, ignore_errors=True)
            return
        except OSError:
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        else:
            shutil.rmtree(folder, ignore_errors=True)
            self._log.info("attachments of a dead host were removed", folder=str(folder))
        finally:
            os.close(lock)

    def _give_to_user(self, path: Path) -> None:
        if self._uid is not None:
            os.chown(path, self._uid, -1)
