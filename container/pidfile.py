"""The `.pid` file of a host that runs with -p, and `rrpy stop`, which reads it.

The host holds a lock on the file for as long as it lives. So the file of a killed host is known to be stale, although
its number may be another process by now; and to wait for the host's end is to wait for the lock.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from pathlib import Path
from types import TracebackType
from typing import ClassVar

from .errors import ConfigError, HostError, reason_of


class NoHost(HostError):
    """No host runs in the folder; `exit_code` 2, as for a host that does not answer."""

    exit_code: ClassVar[int] = 2


class PidFile:
    """A context manager that holds the file while a host runs. Raises ConfigError when another host holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> PidFile:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise ConfigError(f"cannot write {self._path.absolute()}: {reason_of(error)}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise ConfigError(f"a host runs in this folder already: it holds {self._path.absolute()}") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def stop_host(path: Path, timeout: float) -> None:
    """Send SIGTERM to the host that holds the file, and wait at most `timeout` seconds for its end.

    Raises NoHost when there is no such host, HostError when it may not be signalled, or when it does not end in time.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise NoHost(f"no host to stop: there is no {path.absolute()}; run the host with `rrpy serve -p`") from None
    try:
        if _lock(descriptor, 0):
            raise NoHost(f"no host to stop: {path.absolute()} was left by a host that is gone")
        try:
            pid = int(os.read(descriptor, 32))
            if pid < 1:  # kill(2) would take it for a process group, or for every process
                raise ValueError(f"{pid} is not a process")
            os.kill(pid, signal.SIGTERM)
        except (ValueError, OverflowError, OSError) as error:
            raise HostError(f"cannot stop the host that holds {path.absolute()}: {error}") from None
        if not _lock(descriptor, timeout):
            raise HostError(f"the host (pid {pid}) has not ended within {timeout:g} s; it got SIGTERM")
    finally:
        os.close(descriptor)


def _lock(descriptor: int, timeout: float) -> bool:
    """Wait for the host's lock to be free; return whether it is."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        if timeout <= 0:
            return False
    else:
        return True
    # flock has no timeout of its own, so it waits in a thread that does not keep the process alive.
    waiter = threading.Thread(target=fcntl.flock, args=(descriptor, fcntl.LOCK_SH), daemon=True)
    waiter.start()
    waiter.join(timeout)
    return not waiter.is_alive()
