"""The `resetter` plugin: it has workers replaced, for `rrpy reset` and every other RPC client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
from anyio.abc import TaskStatus

from ..container.protocols import Collect
from .owners import find, told_to_the_client
from .protocols import Resettable


class ResetterMethods:
    """The methods of the `resetter` service (WIRE.md, 'Methods every host serves')."""

    def __init__(self, owners: Mapping[str, Resettable]) -> None:
        self._owners = owners

    def list(self, _: bool) -> list[str]:
        """Return the names of the plugins whose workers can be replaced. The argument is ignored."""
        return sorted(self._owners)

    async def reset(self, plugin: str) -> bool:
        """Replace every worker of a plugin, and return true when that is done."""
        owner = find(self._owners, plugin)
        with told_to_the_client():
            await owner.reset()
        return True


class ResetterPlugin:
    """Replaces the workers of every plugin that lets it. It has no section and is never disabled."""

    name = "resetter"

    def __init__(self) -> None:
        self._owners: dict[str, Resettable] = {}
        self._stopped = anyio.Event()

    def init(self) -> None:
        """Need nothing."""

    def collects(self) -> Sequence[Collect[Any]]:
        """Ask for every plugin whose workers can be replaced."""
        return [Collect(Resettable, self._add)]

    def rpc(self) -> ResetterMethods:
        """Serve `resetter.List` and `resetter.Reset`."""
        return ResetterMethods(self._owners)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Have nothing to run."""
        task_status.started()
        await self._stopped.wait()

    async def stop(self) -> None:
        """Have nothing to end."""
        self._stopped.set()

    def _add(self, owner: Resettable) -> None:
        self._owners[owner.name] = owner
