"""The process that a host runs in: its log, its signals, and systemd.

A program that serves a container in an event loop of its own keeps its log and its signals. It never calls
`Process.run`, so that systemd hears nothing and its sockets are left alone.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import anyio

from . import log
from .errors import HostError
from .log import LogConfig
from .net.activation import PASSED
from .notify import Notifier
from .protocols import Logger
from .signals import LAST, Signals


class Runnable(Protocol):
    """What the process needs of a container."""

    async def serve(self) -> None:
        """Serve until `stop` or `force`. Raises HostError."""
        ...

    def stop(self, reason: str) -> None:
        """End gracefully."""
        ...

    def force(self) -> None:
        """End at once."""
        ...


class Process:
    """The process of one host. `log`: the host's channel."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._systemd = Notifier(log)

    def run(self, container: Runnable, logs: LogConfig, *, debug: bool, silent: bool) -> None:
        """Open the log, take over signals and systemd's sockets, and serve. Raises what `serve` raises."""
        try:
            log.configure(logs, debug=debug, silent=silent)
            PASSED.receive(os.environ)
            self._systemd.receive(os.environ)
            with Signals(partial(self._on_signal, container)) as signals:
                anyio.run(self._serve, container, signals, backend_options={"use_uvloop": _has_uvloop()})
        finally:
            log.close()

    def ready(self, serving: Sequence[str]) -> None:
        """Tell systemd which plugins serve, and warn about its sockets that no plugin uses."""
        for name in PASSED.unused:
            self._log.warning("a socket of systemd's is not used", name=name, address=f"systemd:{name}")
        self._systemd.send(READY=1, STATUS=f"serving: {', '.join(serving)}")

    def stopping(self, reason: str) -> None:
        """Tell systemd that the host stops."""
        self._systemd.send(STOPPING=1, STATUS=f"stopping: {reason}")

    async def _serve(self, container: Runnable, signals: Signals) -> None:
        signals.deliver()
        failure: HostError | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._systemd.watch, name="systemd's watchdog")
            try:
                await container.serve()
            except HostError as error:  # raised below, so that no group is around it
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    def _on_signal(self, container: Runnable, number: signal.Signals, count: int) -> None:
        if count == 1:
            container.stop(number.name)
        elif count < LAST:
            self._log.warning("a second signal: stopping at once", signal=number.name)
            container.force()
        else:
            log.close()
            os._exit(1)


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401 - looked for, not used
    except ImportError:
        return False
    return True
