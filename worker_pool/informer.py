"""The `informer` plugin: which workers there are, and more or fewer of them, for `rrpy workers` and other clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
from anyio.abc import TaskStatus

from ..container.protocols import Collect
from .owners import find, told_to_the_client
from .protocols import PoolInfo, Scalable, WorkerInfo, WorkerOwner


class InformerMethods:
    """The methods of the `informer` service (WIRE.md, 'Methods every host serves'); `pool` is not RoadRunner's."""

    def __init__(self, owners: Mapping[str, WorkerOwner], scalable: Mapping[str, Scalable]) -> None:
        self._owners = owners
        self._scalable = scalable

    def list(self, _: bool) -> list[str]:
        """Return the names of the plugins that own workers. The argument is ignored."""
        return sorted(self._owners)

    def workers(self, plugin: str) -> dict[str, Sequence[WorkerInfo] | None]:
        """Return the workers of a plugin: `{"workers": [State, ...]}`, null when it has none or there is no such."""
        owner = self._owners.get(plugin)
        return {"workers": (owner.workers() or None) if owner is not None else None}

    def pool(self, plugin: str) -> PoolInfo | None:
        """Return the figures of a plugin's pool, null when it is not up, does not tell them, or there is no such."""
        owner = self._scalable.get(plugin)
        return owner.pool_info() if owner is not None else None

    async def add_worker(self, plugin: str) -> bool:
        """Add one worker to the plugin's pool and return true when it is up."""
        owner = find(self._scalable, plugin)
        with told_to_the_client():
            await owner.add_worker()
        return True

    async def remove_worker(self, plugin: str) -> bool:
        """Take one worker of the plugin's pool away, which finishes its request first. The last one stays."""
        owner = find(self._scalable, plugin)
        with told_to_the_client():
            await owner.remove_worker()
        return True


class InformerPlugin:
    """Shows the workers of every plugin that owns some. It has no section and is never disabled."""

    name = "informer"

    def __init__(self) -> None:
        self._owners: dict[str, WorkerOwner] = {}
        self._scalable: dict[str, Scalable] = {}
        self._stopped = anyio.Event()

    def init(self) -> None:
        """Need nothing."""

    def collects(self) -> Sequence[Collect[Any]]:
        """Ask for every plugin that owns workers, and for every one whose pool can grow and shrink."""
        return [Collect(WorkerOwner, self._add_owner), Collect(Scalable, self._add_scalable)]

    def rpc(self) -> InformerMethods:
        """Serve `informer.List`, `informer.Workers` and so on."""
        return InformerMethods(self._owners, self._scalable)

    def metrics_collectors(self) -> Sequence[Any]:
        """Return the numbers of every plugin's workers, for the plugin `metrics`."""
        from .metrics import PoolCollector  # here, because only a host with metrics needs prometheus_client

        return [PoolCollector(self._owners, self._scalable)]

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Have nothing to run."""
        task_status.started()
        await self._stopped.wait()

    async def stop(self) -> None:
        """Have nothing to end."""
        self._stopped.set()

    def _add_owner(self, owner: WorkerOwner) -> None:
        self._owners[owner.name] = owner

    def _add_scalable(self, owner: Scalable) -> None:
        self._scalable[owner.name] = owner
