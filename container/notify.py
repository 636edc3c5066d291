"""What systemd is told of the host: that it is ready, that it stops, and that its loop is alive (sd_notify(3)).

The protocol is one datagram of `KEY=value` lines to the unix socket that $NOTIFY_SOCKET names. Own code, because the
libraries are more than it: `systemd-python` and `cysystemd` bring C code that needs libsystemd, `sdnotify` knows no
watchdog and has had no release since 2017.
What can still fail: a socket that is gone, or full. Then one warning is logged, and the host goes on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final, Self

import anyio

from .protocols import Logger

_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Tells systemd, or nobody. `path`: the socket, `@name` an abstract one; empty: nobody listens.

    `watchdog`: seconds after which systemd ends a host that it has not heard of; 0 is none.
    """

    def __init__(self, path: str, watchdog: float = 0) -> None:
        self.path = path
        self.watchdog = watchdog
        self._log: Logger | None = None

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Self:
        """Return what the environment asks for, and take its variables away: workers must not inherit them.

        A watchdog of another process ($WATCHDOG_PID) is not ours (sd_watchdog_enabled(3)).
        """
        path, usec, pid = (environ.pop(name, "") for name in _VARIABLES)
        watchdog = 0.0
        if path and pid in ("", str(os.getpid())):
            with suppress(ValueError):
                watchdog = max(0, int(usec)) / 1_000_000
        return cls(path, watchdog)

    def warn_on(self, log: Logger) -> None:
        """Warn on this log, once, when systemd cannot be told."""
        self._log = log

    def send(self, **state: str | int) -> None:
        """Tell `KEY=value` each, for example READY=1, STATUS='serving smtp'. Never blocks, never raises."""
        if not self.path:
            return
        lines = "\n".join(f"{key}={' '.join(str(value).splitlines())}" for key, value in state.items())
        address = "\0" + self.path[1:] if self.path.startswith("@") else self.path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                sending.setblocking(False)
                sending.sendto(lines.encode(errors="replace"), address)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            if self._log is not None:
                self._log.warning("systemd cannot be told", socket=self.path, error=str(error))
                self._log = None

    async def watch(self) -> None:
        """Tell that the loop is alive, at half the watchdog's time, until cancelled; return at once without one."""
        while self.path and self.watchdog:
            self.send(WATCHDOG=1)
            await anyio.sleep(self.watchdog / 2)
