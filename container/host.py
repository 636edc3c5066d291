"""The process that a host runs in: its log, its signals, and systemd.

A program that serves a container in an event loop of its own keeps its log and its signals. It never calls
`Process.run`, so that systemd hears nothing and its sockets are left alone.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

import anyio
from anyio.abc import TaskGroup

from . import log
from .errors import HostError
from .leaving import Leaving
from .log import LogConfig
from .net.activation import PASSED
from .notify import Notifier
from .protocols import Logger
from .signals import LAST, Signals
from .watchdog import LIMIT, Watchdog

FAULT_DELAY: Final = 0.1
"""Seconds that a plugin has to fail by the error of its task, before the host fails by it."""


START_LIMIT: Final = 5.0
"""Seconds that the loop may stand still during the start, which imports modules."""


class Runnable(Protocol):
    """What the process needs of a container."""

    async def serve(self) -> None:
        """Serve until `stop` or `force`. Raises HostError."""
        ...

    @property
    def unended(self) -> Sequence[str]:
        """The plugins that have not ended."""
        ...

    @property
    def modules(self) -> Mapping[str, str]:
        """The plugins by the module of their class."""
        ...

    async def reload(self) -> None:
        """Let the plugins read their files anew."""
        ...

    async def reset(self) -> None:
        """Let the plugins replace their workers."""
        ...

    def stop(self, reason: str) -> None:
        """End gracefully."""
        ...

    def force(self) -> None:
        """End at once."""
        ...

    def crash(self, error: BaseException) -> None:
        """End because of an error outside of the plugins."""
        ...


class Process:
    """The process of one host. `log`: the host's channel."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._systemd = Notifier(log)
        self._watchdog: Watchdog | None = None
        self._leaving: Leaving | None = None
        self._report_wait: Callable[[str], None] | None = None

    def run(
        self,
        container: Runnable,
        logs: LogConfig,
        *,
        grace_period: float,
        debug: bool,
        silent: bool,
        status: Callable[[str], None] | None,
    ) -> None:
        """Open the log, take over signals and systemd's sockets, and serve. Raises what `serve` raises.

        `grace_period`: seconds that threads have at the end. `status`: gets what the host waits for, while it stops.
        """
        self._leaving = Leaving(self._log, lambda: container.unended, lambda: container.modules)
        self._report_wait = status
        try:
            log.configure(logs, debug=debug, silent=silent)
            PASSED.receive(os.environ)
            self._systemd.receive(os.environ)
            with (
                Signals(partial(self._leaving.within, grace_period)) as signals,
                asyncio.Runner(loop_factory=_loop_factory()) as runner,
            ):
                _run_to_end(runner.get_loop(), self._serve(container, signals), container)
        finally:
            gc.unfreeze()  # Python's own end frees them, with the objects that they hold
            self._leaving.within(grace_period)
            self._leaving.wait_for_threads()
            self._leaving.stay()
            log.close()

    def ready(self, serving: Sequence[str]) -> None:
        """Tell systemd which plugins serve, and warn about its sockets that no plugin uses."""
        if self._watchdog is not None:
            self._watchdog.limit = LIMIT
            gc.freeze()  # the loaded modules stay: to look for cycles in them is a tenth of the work for a caught mail
        for name in PASSED.unused:
            self._log.warning("a socket of systemd's is not used", name=name, address=f"systemd:{name}")
        self._systemd.send(READY=1, STATUS=f"serving: {', '.join(serving)}")

    def stopping(self, reason: str, grace_period: float) -> None:
        """Tell systemd that the host stops, and see to it that the process ends after the grace period."""
        self._systemd.send(STOPPING=1, STATUS=f"stopping: {reason}")
        self.leave_within(grace_period)

    def leave_within(self, seconds: float) -> None:
        """End the process soon after so many seconds, whatever threads do; not one that runs its own event loop."""
        if self._leaving is not None:
            self._leaving.within(seconds)

    def waits_for(self, plugins: Sequence[str]) -> None:
        """Tell systemd, and `rrpy stop`, which plugins the stop waits for."""
        text = f"waiting for {', '.join(plugins) or 'its threads'}"
        self._systemd.send(STATUS=f"stopping: {text}")
        if self._report_wait is not None:
            self._report_wait(text)

    async def _serve(self, container: Runnable, signals: Signals) -> None:
        self._watchdog = Watchdog(self._log, START_LIMIT, lambda: container.modules)
        with self._watchdog:
            failure = await self._serve_watched(container, signals)
        if failure is not None:
            raise failure

    async def _serve_watched(self, container: Runnable, signals: Signals) -> HostError | None:
        failure: HostError | None = None
        async with anyio.create_task_group() as group:
            signals.deliver(partial(self._on_signal, container, group))
            group.start_soon(self._systemd.watch, name="systemd's watchdog")
            try:
                await container.serve()
            except HostError as error:  # raised below, so that no group is around it
                failure = error
            group.cancel_scope.cancel()
        return failure

    def _on_signal(self, container: Runnable, group: TaskGroup, number: signal.Signals, count: int) -> None:
        if count == 0:
            self._answer(container, group, number)
        elif count == 1:
            container.stop(number.name)
        elif count < LAST:
            self._log.warning("a second signal: stopping at once", signal=number.name)
            container.force()
        else:
            log.close()
            os._exit(1)

    def _answer(self, container: Runnable, group: TaskGroup, number: signal.Signals) -> None:
        """Do what a signal asks for that does not end the host."""
        if number is signal.SIGHUP:
            log.reopen()
            self._log.info("log files are opened anew, plugins reload", signal=number.name)
            group.start_soon(container.reload, name="reload")
        elif number is signal.SIGUSR2:
            self._log.info("workers are reset", signal=number.name)
            group.start_soon(container.reset, name="reset")
        else:
            self._log.info("signal without a meaning", signal=number.name)


def _run_to_end(loop: asyncio.AbstractEventLoop, serving: Coroutine[Any, Any, None], container: Runnable) -> None:
    """Run the host. `sys.exit` in a task ends the loop: it runs on, so that the task's plugin fails in order."""
    host = loop.create_task(serving, name="host")
    while not host.done():
        try:
            loop.run_until_complete(host)
        except (SystemExit, KeyboardInterrupt) as error:
            if host.done():
                raise
            loop.call_later(FAULT_DELAY, container.crash, error)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop
