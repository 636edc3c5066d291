"""The `informer` plugin: which workers there are, for `rrpy workers` and every other RPC client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
from anyio.abc import TaskStatus

from ..container.protocols import Collect
from .protocols import WorkerInfo, WorkerOwner


class InformerMethods:
    """The methods of the `informer` service (WIRE.md, 'Methods every host serves')."""

    def __init__(self, owners: dict[str, WorkerOwner]) -> None:
        self._owners = owners

    def list(self, _: bool) -> list[str]:
        """Return the names of the plugins that own workers. The argument is ignored."""
        return sorted(self._owners)

    def workers(self, plugin: str) -> dict[str, Sequence[WorkerInfo] | None]:
        """Return the workers of a plugin: `{"workers": [State, ...]}`, null when it has none or there is no such."""
        owner = self._owners.get(plugin)
        return {"workers": (owner.workers() or None) if owner is not None else None}


class InformerPlugin:
    """Shows the workers of every plugin that owns some. It has no section and is never disabled."""

    name = "informer"

    def __init__(self) -> None:
        self._owners: dict[str, WorkerOwner] = {}
        self._stopped = anyio.Event()

    def init(self) -> None:
        """Need nothing."""

    def collects(self) -> Sequence[Collect[Any]]:
        """Ask for every plugin that owns workers."""
        return [Collect(WorkerOwner, self._add)]

    def rpc(self) -> InformerMethods:
        """Serve `informer.List` and `informer.Workers`."""
        return InformerMethods(self._owners)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Have nothing to run."""
        task_status.started()
        await self._stopped.wait()

    async def stop(self) -> None:
        """Have nothing to end."""
        self._stopped.set()

    def _add(self, owner: WorkerOwner) -> None:
        self._owners[owner.name] = owner
