"""Attachments as files, for workers on the same machine (`smtp.attachment_storage`, mode `tempfile`).

What we want: the host chooses a file's name, not the mail. No other user can read the file. It is removed after a
while, also when the host was killed. What we do: every host has a folder of its own in a common one, see folder.py.

    <temp_dir>/host-<random>/<id of the message>-<number>

The default of the common folder is `rrpy-<uid>` in the system's folder for temporary files, with the host's uid. The
host uses it only when it is a real folder of that user alone. Where workers run as another user, the files are that
user's, and the folders are not. What can still fail: a worker that keeps a path for longer than `cleanup_after`, or
than the host lives.
"""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from ...container.errors import HostError, reason_of
from ...container.protocols import Logger
from ...mime.message import Attachment
from .folder import Folder


class StorageError(HostError):
    """The folder for attachments cannot be used."""

    def __init__(self, folder: Path, reason: OSError | str) -> None:
        super().__init__(f"smtp.attachment_storage: {folder} cannot be used for attachments: {reason_of(reason)}")


class Storage:
    """The attachments' files of one host, from `open` to `close`.

    `temp_dir`: the common folder, None for the default. `cleanup_after`: seconds before a file is removed. `uid`: the
    user of the workers, None for the host's own. `folder`: this host's; before `open` the common one.
    """

    def __init__(self, temp_dir: str | None, cleanup_after: float, log: Logger, uid: int | None = None) -> None:
        self._uid = uid
        self._private = temp_dir is None
        self._common = Path(temp_dir or Path(tempfile.gettempdir()) / f"rrpy-{os.geteuid()}").absolute()
        self._cleanup_after = cleanup_after
        self._log = log
        self._files: deque[tuple[float, list[Path]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._folder: Folder | None = None  # while it is open
        self._closed = False
        self.folder = self._common

    def open(self) -> None:
        """Make this host's folder; remove the folders of dead hosts. Raises StorageError."""
        try:
            folder = self._make_folder()
        except OSError as error:
            raise StorageError(self._common, error) from error
        for path in folder.remove_dead():
            self._log.info("attachments of a dead host were removed", folder=str(path))

    def close(self) -> None:
        """Remove everything of this host. May be called twice."""
        if self._timer is not None:
            self._timer.cancel()
        self._closed = True  # a thread that writes removes what it still adds
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.remove()

    def write(self, message_id: str, attachments: Sequence[Attachment], paths: list[Path]) -> None:
        """Write the contents, and add their paths in order. Blocks. Raises OSError, with every file removed.

        One thread at a time calls it. A folder that was removed is replaced by a new one.
        """
        folder = self._current()
        try:
            for number, attachment in enumerate(attachments, 1):
                if self._closed:
                    raise _stopping()
                paths.append(folder.write(f"{message_id}-{number}", attachment.content()))
        except BaseException:
            self.remove(paths)
            raise
        finally:
            if self._closed:  # it came in between
                folder.remove()
                self._folder = None

    def remove_later(self, paths: list[Path]) -> None:
        """Remove these files after `cleanup_after`. Call it in the event loop."""
        loop = asyncio.get_running_loop()
        self._files.append((loop.time() + self._cleanup_after, paths))
        if self._timer is None:
            self._timer = loop.call_at(self._files[0][0], self._clean_up)

    def remove(self, paths: Sequence[Path]) -> None:
        """Remove files now. A missing one is accepted; one that cannot be removed is logged."""
        folder = self._folder
        if folder is None:  # `close` has removed them
            return
        for path in paths:
            try:
                folder.unlink(path.name)
            except OSError as error:
                self._log.warning("an attachment cannot be removed", path=str(path), error=str(error))

    def _clean_up(self) -> None:
        """Remove the files of one message; those of the next have a turn of the event loop of their own."""
        self.remove(self._files.popleft()[1])
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._files[0][0], self._clean_up) if self._files else None

    def _current(self) -> Folder:
        """Return the folder; a new one where it was removed, or moved, or replaced. Raises OSError."""
        folder = self._folder
        if folder is None:
            raise _stopping()
        if folder.is_there():
            return folder
        folder.remove()  # it may have been moved with the files in it
        new = self._make_folder()
        self._log.warning("the folder of attachments was removed, a new one is made", folder=str(new.path))
        return new

    def _make_folder(self) -> Folder:
        folder = Folder(self._common, private=self._private, uid=self._uid)
        self._folder, self.folder = folder, folder.path
        return folder


def _stopping() -> OSError:
    return OSError(errno.ESHUTDOWN, "the host is stopping")
