"""The checks of plugins, which run side by side, each with a time limit.

A plugin whose check raises, hangs or does not return a Status is unavailable.
"""

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


class CheckReport(NamedTuple):
    """One plugin in a response, with RoadRunner's keys."""

    plugin_name: str
    error_message: str
    status_code: int


class Checks:
    """The checks of one kind, by plugin.

    `kind`: `health` or `readiness`, for messages; `timeout`: for each check; `code`: of an unavailable plugin.
    """

    def __init__(self, kind: str, log: Logger, *, timeout: Duration, code: int) -> None:
        self._kind = kind
        self._log = log
        self._timeout = timeout
        self._code = code
        self._own: dict[str, Check] = {}
        self._sources: list[Callable[[], Mapping[str, Check]]] = []
        self._unavailable: set[str] = set()

    def add(self, plugin: str, check: Check) -> None:
        """Add a plugin's check."""
        self._own[plugin] = check

    def add_source(self, source: Callable[[], Mapping[str, Check]]) -> None:
        """Add checks that may come and go: `source` is called for each report. A check of `add` takes precedence."""
        self._sources.append(source)

    def __contains__(self, plugin: str) -> bool:
        return plugin in self._checks

    @property
    def _checks(self) -> Mapping[str, Check]:
        found: dict[str, Check] = {}
        for source in self._sources:
            found |= source()
        return found | self._own

    async def report(self, plugins: Sequence[str] = ()) -> list[CheckReport]:
        """Run the checks of these plugins, or of all, and return a report of each, in their order.

        A plugin named twice is reported once. One without a check is `NOT_FOUND`.
        """
        checks = self._checks
        names = list(dict.fromkeys(plugins)) or sorted(checks)
        found: dict[str, Status] = {}

        async def run(name: str) -> None:
            found[name] = await self._status(name, checks[name])

        async with anyio.create_task_group() as group:
            for name in names:
                if name in checks:
                    group.start_soon(run, name)
        return [_report(name, found) for name in names]

    def same_for_all(self, message: str, code: int, plugins: Sequence[str] = ()) -> list[CheckReport]:
        """Return the same report of these plugins, or of all, without a check."""
        return [CheckReport(name, message, code) for name in dict.fromkeys(plugins or sorted(self._checks))]

    async def status(self, plugin: str) -> Status:
        """Run one plugin's check and return its status; never raises. An unavailable plugin has the code `code`."""
        return await self._status(plugin, self._checks[plugin])

    async def _status(self, plugin: str, check: Check) -> Status:
        status = await self._run(check)
        fine = 100 <= status.code <= 400  # RoadRunner's range
        if not fine:
            status = Status(self._code, status.message or f"its {self._kind}_check() returned {status.code}")
        self._log_change(plugin, status, fine=fine)
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
            return unavailable(f"its {self._kind}_check() did not return within {self._timeout}")
        if not isinstance(result, Status):
            return unavailable(f"its {self._kind}_check() returned {type(result).__name__}, not a Status")
        return result

    def _log_change(self, plugin: str, status: Status, *, fine: bool) -> None:
        """Log a plugin that became unavailable, or available again: a probe asks every few seconds."""
        if not fine and plugin not in self._unavailable:
            self._unavailable.add(plugin)
            self._log.warning("plugin is unavailable", plugin=plugin, check=self._kind, reason=status.message)
        elif fine and plugin in self._unavailable:
            self._unavailable.discard(plugin)
            self._log.info("plugin is available again", plugin=plugin, check=self._kind)


def _report(name: str, found: Mapping[str, Status]) -> CheckReport:
    if name not in found:
        return CheckReport(name, "no such plugin, or it has no such check", NOT_FOUND)
    return CheckReport(name, found[name].message, found[name].code)
