"""The `resetter` plugin: it replaces workers, for `rrpy reset` and every other RPC client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
from anyio.abc import TaskStatus

from ..container.errors import HostError
from ..container.protocols import Collect, Logger
from .protocols import WorkerGroups
from .registry import KnownGroups


class ResetterMethods:
    """The methods of the service `resetter` (docs/reference/wire.md).

    `plugin`: the name of a worker group, which is most often that of its plugin.
    """

    def __init__(self, groups: KnownGroups) -> None:
        self._groups = groups

    def list(self, _: bool) -> list[str]:
        """Return the names of the plugins that own workers."""
        return sorted(self._groups.all())

    async def reset(self, plugin: str) -> bool:
        """Replace every worker of a plugin, and return true when that is done."""
        await self._groups.find(plugin).reset()
        return True


class ResetterPlugin:
    """Replaces the workers of any plugin that has some. It has no section and is never disabled."""

    name = "resetter"

    def __init__(self) -> None:
        self._groups = KnownGroups()
        self._stopped = anyio.Event()

    def init(self, log: Logger) -> None:
        """Take the log: the plugin has no section and needs no other plugin."""
        self._log = log

    def collects(self) -> Sequence[Collect[Any]]:
        """Collect every plugin with workers."""
        return [Collect(WorkerGroups, self._groups.add)]

    def rpc(self) -> ResetterMethods:
        """Return the methods served as `resetter.…`."""
        return ResetterMethods(self._groups)

    async def host_resetting(self) -> None:
        """Replace every worker, one plugin after another, as `rrpy reset` does."""
        for name, group in sorted(self._groups.all().items()):
            try:
                await group.reset()
            except HostError as error:
                self._log.error("an old worker stays", plugin=name, error=str(error))
            else:
                self._log.info("workers are replaced", plugin=name)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Wait for the stop: the RPC bus runs the methods."""
        task_status.started()
        await self._stopped.wait()

    async def stop(self) -> None:
        """Let `serve` return."""
        self._stopped.set()
