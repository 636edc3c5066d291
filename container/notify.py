"""The host's messages to systemd: it is ready, it stops, its event loop is alive (sd_notify(3)).

The protocol is one datagram of `KEY=value` lines to the unix socket that $NOTIFY_SOCKET names. It is written here,
because the libraries bring too much or too little: `systemd-python` and `cysystemd` need libsystemd, `sdnotify` knows
no watchdog and has had no release since 2017.
What can still fail: the socket is gone, or full. Then the host logs one warning and goes on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final

import anyio

from .protocols import Logger

_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Sends the host's state to systemd; without a socket it sends nothing. `log`: for a warning, once.

    `path`: the socket, `@name` for an abstract one; empty without one. `watchdog`: seconds after which systemd ends a
    host that is silent; 0 without one.
    """

    def __init__(self, log: Logger, path: str = "", watchdog: float = 0) -> None:
        self.path = path
        self.watchdog = watchdog
        self._log = log
        self._warned = False

    def receive(self, environ: MutableMapping[str, str]) -> None:
        """Take the socket and the watchdog from the environment, and remove the variables: no worker inherits them.

        A watchdog for another process ($WATCHDOG_PID) is not ours (sd_watchdog_enabled(3)).
        """
        self.path, usec, pid = (environ.pop(name, "") for name in _VARIABLES)
        self.watchdog = 0
        if self.path and pid in ("", str(os.getpid())):
            with suppress(ValueError):
                self.watchdog = max(0, int(usec)) / 1_000_000

    def send(self, **state: str | int) -> None:
        """Send each `KEY=value`, for example READY=1, STATUS='serving smtp'. Never blocks, never raises."""
        if not self.path:
            return
        lines = "\n".join(f"{key}={' '.join(str(value).splitlines())}" for key, value in state.items())
        address = "\0" + self.path[1:] if self.path.startswith("@") else self.path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                sending.setblocking(False)
                sending.sendto(lines.encode(errors="replace"), address)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            if not self._warned:
                self._warned = True
                self._log.warning("systemd cannot be reached", socket=self.path, error=str(error))

    async def watch(self) -> None:
        """Send WATCHDOG=1 twice in each watchdog time, until cancelled; return at once without a watchdog."""
        while self.path and self.watchdog:
            self.send(WATCHDOG=1)
            await anyio.sleep(self.watchdog / 2)
