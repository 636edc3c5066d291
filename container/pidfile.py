"""The `.pid` file of a host that runs with -p, and `rrpy stop`, which reads it.

What we want: one host in a folder, and a signal for this host alone. What makes it hard: the folder may hold anything
under the file's name, and the number of a killed host may belong to another process by now. What we do: the host locks
the file while it lives. So the lock says whether the file is stale, and a wait for the lock is a wait for the host's
end. Both sides use the descriptor of a plain file with one name. On Linux the kernel names the process that holds the
lock, and only this one gets the signal.
What can still fail: on another system, a foreign process that locks the file may name a third one in it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final

from .errors import ConfigError, HostError, reason_of

TELL_AFTER: Final = 1.0
"""Seconds of a wait for the host's end after which the command names its reason."""

_ATTEMPTS: Final = 10
"""How often a file is opened that its host removes in this moment."""


class NoHost(HostError):
    """No host runs in the folder; `exit_code` 2, as for a host that does not answer."""

    exit_code: ClassVar[int] = 2


class PidFile:
    """A context manager that holds the file while a host runs.

    Raises ConfigError when another process holds it, and for a path that is not a plain file of this user.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> PidFile:
        with suppress(FileNotFoundError):  # the working folder is removed
            self._path = self._path.absolute()  # a plugin may change the working folder
        try:
            self._descriptor = self._locked()
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            raise ConfigError(f"a host runs in this folder already: it holds {self._path}") from None
        except OSError as error:
            raise ConfigError(f"cannot write {self._path}: {reason_of(error)}") from None
        return self

    def say(self, text: str) -> None:
        """Write what the host waits for into the second line, for `rrpy stop`."""
        with suppress(OSError):  # a full disk
            own = f"{os.getpid()}\n".encode()
            os.ftruncate(self._descriptor, len(own))
            os.pwrite(self._descriptor, f"{text}\n".encode(), len(own))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if _is_at(self._descriptor, self._path):
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def _locked(self) -> int:
        """Return a descriptor of the file, with its lock. Raises OSError; BlockingIOError when it is locked already."""
        for _ in range(_ATTEMPTS):
            descriptor = _open(self._path, os.O_RDWR | os.O_CREAT)
            try:
                if os.fstat(descriptor).st_uid != os.geteuid():
                    raise PermissionError(errno.EPERM, "it belongs to another user")
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(descriptor, self._path):  # else its host has removed it
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise OSError(errno.ESTALE, "other processes remove it again and again")


def stop_host(path: Path, timeout: float, tell: Callable[[str], None] = lambda _: None) -> None:
    """Send SIGTERM to the host that holds the file, and wait at most `timeout` seconds for its end.

    `tell`: called when that takes longer than `TELL_AFTER`, with a sentence about what the host waits for.
    Raises NoHost when there is no such host, HostError when it may not be signalled, or when it does not end in time.
    """
    with suppress(FileNotFoundError):
        path = path.absolute()
    try:
        descriptor = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise NoHost(f"no host to stop: there is no {path}; run the host with `rrpy serve -p`") from None
    except OSError as error:
        raise HostError(f"cannot read {path}: {reason_of(error)}") from None
    try:
        if _lock(descriptor):
            raise NoHost(f"no host to stop: {path} was left by a host that is gone")
        try:
            pid = int(os.pread(descriptor, 32, 0).partition(b"\n")[0])
            if pid < 1:  # kill(2) would take it for a process group, or for every process
                raise ValueError(f"{pid} is not a process")
            if pid not in _holders(descriptor, pid):
                raise ValueError(f"it is not process {pid}, which the file names")
            os.kill(pid, signal.SIGTERM)
        except (ValueError, OverflowError, OSError) as error:
            raise HostError(f"cannot stop the host that holds {path}: {reason_of(error)}") from None
        _wait_for_end(descriptor, pid, timeout, tell)
    finally:
        os.close(descriptor)


def _open(path: Path, flags: int) -> int:
    """Open a plain file with one name. It follows no link, and waits for no pipe. Raises OSError."""
    flags |= os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link") from None
        if error.errno == errno.EISDIR:
            raise OSError(errno.EISDIR, "it is a folder") from None
        raise
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink <= 1:  # 0: its host has removed it
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, "it is a folder")
    is_plain = stat.S_ISREG(found.st_mode)
    raise OSError(errno.EINVAL, "it has a second name, a hard link" if is_plain else "it is not a plain file")


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether the path still leads to the open file."""
    try:
        there = path.lstat()
    except OSError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def _holders(descriptor: int, claimed: int) -> set[int]:
    """Return the processes that hold a lock on a file, where the kernel tells; else the one that claims it."""
    found = os.fstat(descriptor)
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        locks = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError):
        return {claimed}
    # 1: FLOCK ADVISORY WRITE 4711 08:01:131 0 EOF
    held = {int(words[4]) for words in locks if len(words) == 8 and words[1] == "FLOCK" and words[5] == device}
    return held or {claimed}


def _lock(descriptor: int) -> bool:
    """Return whether the host's lock is free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _wait_for_lock(descriptor: int) -> None:
    with suppress(OSError):  # the command has given up, and closed the file
        fcntl.flock(descriptor, fcntl.LOCK_SH)


def _wait_for_end(descriptor: int, pid: int, timeout: float, tell: Callable[[str], None]) -> None:
    """Wait for the host's lock to be free. Raises HostError after `timeout` seconds."""
    # flock has no timeout of its own, so it waits in a thread that does not keep the process alive.
    waiter = threading.Thread(target=_wait_for_lock, args=(descriptor,), daemon=True)
    waiter.start()
    end = time.monotonic() + timeout
    said = ""
    while True:
        left = end - time.monotonic()
        waiter.join(max(0, min(TELL_AFTER, left)))
        if not waiter.is_alive():
            return
        reason = os.pread(descriptor, 4096, 0).partition(b"\n")[2].decode("utf-8", "replace").strip()
        if left <= TELL_AFTER:
            waits = f"; it is {reason}" if reason else ""
            raise HostError(f"the host (pid {pid}) has not ended within {timeout:g} s; it got SIGTERM{waits}")
        if reason and reason != said:
            said = reason
            tell(f"the host (pid {pid}) stops, it is {reason}")
