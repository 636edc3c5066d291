"""Checks of plugins, run side by side, each with a time limit: what raises, hangs or answers oddly is unavailable."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

import anyio

from ..container.config.fields import Duration
from ..container.health import Status, unavailable
from ..container.protocols import Logger

Check = Callable[[], Status | Awaitable[Status]]

NOT_FOUND: Final = 404


class Report(NamedTuple):
    """One plugin in an answer, with RoadRunner's keys."""

    plugin_name: str
    error_message: str
    status_code: int


class Checks:
    """One kind of check, of every plugin that has it. `timeout`: for each; `code`: of a plugin that is unavailable."""

    def __init__(self, kind: str, log: Logger, *, timeout: Duration, code: int) -> None:
        self._kind = kind
        self._log = log
        self._timeout = timeout
        self._code = code
        self._checks: dict[str, Check] = {}
        self._ill: set[str] = set()

    def add(self, plugin: str, check: Check) -> None:
        """Add a plugin."""
        self._checks[plugin] = check

    def __contains__(self, plugin: str) -> bool:
        return plugin in self._checks

    async def report(self, plugins: Sequence[str] = ()) -> list[Report]:
        """Return how these plugins are, or all: in their order, each once. One without the check is `NOT_FOUND`."""
        names = list(dict.fromkeys(plugins)) or sorted(self._checks)
        found: dict[str, Status] = {}

        async def look_at(name: str) -> None:
            found[name] = await self.status(name)

        async with anyio.create_task_group() as group:
            for name in names:
                if name in self._checks:
                    group.start_soon(look_at, name)
        return [_report(name, found) for name in names]

    def all_say(self, message: str, code: int, plugins: Sequence[str] = ()) -> list[Report]:
        """Return the same of every plugin, without asking it."""
        return [Report(name, message, code) for name in dict.fromkeys(plugins or sorted(self._checks))]

    async def status(self, plugin: str) -> Status:
        """Return how one plugin is; never raises. What is not fine has the code of unavailable plugins."""
        status = await self._run(self._checks[plugin])
        fine = 100 <= status.code <= 400  # RoadRunner's range
        if not fine:
            status = Status(self._code, status.message or f"its {self._kind}() said {status.code}")
        self._tell(plugin, status, fine=fine)
        return status

    async def _run(self, check: Check) -> Status:
        result: object = None
        try:
            with anyio.move_on_after(self._timeout) as limit:
                result = check()
                if inspect.isawaitable(result):
                    result = await result
        except Exception as error:
            return unavailable(str(error) or type(error).__name__)
        if limit.cancelled_caught:
            return unavailable(f"its {self._kind}() did not return within {self._timeout}")
        if not isinstance(result, Status):
            return unavailable(f"its {self._kind}() returned {type(result).__name__}, not a Status")
        return result

    def _tell(self, plugin: str, status: Status, *, fine: bool) -> None:
        """Log a change: a probe asks every few seconds."""
        if not fine and plugin not in self._ill:
            self._ill.add(plugin)
            self._log.warning("plugin is unavailable", plugin=plugin, check=self._kind, reason=status.message)
        elif fine and plugin in self._ill:
            self._ill.discard(plugin)
            self._log.info("plugin is available again", plugin=plugin, check=self._kind)


def _report(name: str, found: Mapping[str, Status]) -> Report:
    if name not in found:
        return Report(name, "no such plugin, or it has no such check", NOT_FOUND)
    return Report(name, found[name].message, found[name].code)
