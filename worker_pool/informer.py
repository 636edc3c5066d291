"""The `informer` plugin: it shows the workers, and adds and removes them, for `rrpy workers` and other RPC clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
from anyio.abc import TaskStatus

from ..container.protocols import Collect, JobPipelines
from .protocols import PoolInfo, WorkerGroups, WorkerInfo
from .registry import KnownGroups


class InformerMethods:
    """The methods of the service `informer` (docs/reference/wire.md). RoadRunner has all of them but `pool`.

    `plugin`: the name of a worker group, which is most often that of its plugin.
    """

    def __init__(self, groups: KnownGroups, pipelines: Sequence[JobPipelines]) -> None:
        self._groups = groups
        self._pipelines = pipelines

    def list(self, _: bool) -> list[str]:
        """Return the names of the plugins that own workers."""
        return sorted(self._groups.all())

    def workers(self, plugin: str) -> dict[str, Sequence[WorkerInfo] | None]:
        """Return the workers of a plugin: `{"workers": [State, ...]}`; null for none, and for an unknown name."""
        group = self._groups.all().get(plugin)
        return {"workers": (group.workers() or None) if group is not None else None}

    def pool(self, plugin: str) -> PoolInfo | None:
        """Return the figures of a plugin's pool; null when it is not up, and for an unknown name."""
        group = self._groups.all().get(plugin)
        return group.info() if group is not None else None

    def jobs(self, _: str) -> Sequence[Any]:
        """Return the states of job pipelines; an empty list where no plugin has any."""
        return [stat for plugin in self._pipelines for stat in plugin.job_pipelines()]

    async def add_worker(self, plugin: str) -> bool:
        """Add one worker to the plugin's pool and return true when it is up."""
        await self._groups.find(plugin).add_worker()
        return True

    async def remove_worker(self, plugin: str) -> bool:
        """Remove one worker of the plugin's pool; it finishes its request first. The last one stays."""
        await self._groups.find(plugin).remove_worker()
        return True


class InformerPlugin:
    """Shows the workers of every plugin that has some. It has no section and is never disabled."""

    name = "informer"

    def __init__(self) -> None:
        self._groups = KnownGroups()
        self._pipelines: list[JobPipelines] = []
        self._stopped = anyio.Event()

    def init(self) -> None:
        """Do nothing: the plugin has no section and needs no other plugin."""

    def collects(self) -> Sequence[Collect[Any]]:
        """Collect every plugin with workers, and every one with job pipelines."""
        return [Collect(WorkerGroups, self._groups.add), Collect(JobPipelines, self._pipelines.append)]

    def rpc(self) -> InformerMethods:
        """Return the methods served as `informer.…`."""
        return InformerMethods(self._groups, self._pipelines)

    def metrics_collectors(self) -> Sequence[Any]:
        """Return the numbers of every plugin's workers, for the plugin `metrics`."""
        from .collector import PoolCollector  # here, because only a host with metrics needs prometheus_client

        return [PoolCollector(self._groups)]

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Wait for the stop: the RPC bus runs the methods."""
        task_status.started()
        await self._stopped.wait()

    async def stop(self) -> None:
        """Let `serve` return."""
        self._stopped.set()
