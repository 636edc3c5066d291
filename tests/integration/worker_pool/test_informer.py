"""The `informer` and `resetter` plugins, with real workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from support.waiting import until
from support.worker_pool.pools import pool, sdk

from rrpy.container.errors import HostError
from rrpy.container.protocols import Collector, Plugin
from rrpy.worker_pool import (
    PoolClosed,
    PoolError,
    PoolInfo,
    Resettable,
    Scalable,
    WorkerBootError,
    WorkerInfo,
    WorkerOwner,
)
from rrpy.worker_pool.informer import InformerPlugin
from rrpy.worker_pool.pool import WorkerPool
from rrpy.worker_pool.resetter import ResetterPlugin

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("unmeasured")]


class Owner:
    """A plugin that shows its workers, and has nothing else to offer."""

    name = "owner"

    def __init__(self, workers: WorkerPool | None = None) -> None:
        self.pool = workers

    def workers(self) -> Sequence[WorkerInfo]:
        return self.pool.workers() if self.pool is not None else []


class FullOwner(Owner):
    """A plugin that passes on all that its pool can do."""

    name = "full"

    def pool_info(self) -> PoolInfo | None:
        return self.pool.info() if self.pool is not None else None

    async def reset(self) -> None:
        await self._up().reset()

    async def add_worker(self) -> None:
        await self._up().add_worker()

    async def remove_worker(self) -> None:
        await self._up().remove_worker()

    def _up(self) -> WorkerPool:
        if self.pool is None:
            raise PoolClosed
        return self.pool


def methods(plugin: InformerPlugin | ResetterPlugin, *owners: object) -> Any:
    """Return what the plugin serves, after the container has handed it the others."""
    plugin.init()
    served = plugin.rpc()
    for wish in plugin.collects():
        for owner in owners:
            if isinstance(owner, wish.protocol):
                wish.add(owner)
    return served


@pytest.mark.parametrize("kind", [InformerPlugin, ResetterPlugin])
async def test_they_are_plugins_that_collect_and_serve_until_they_are_stopped(kind: type[Any]) -> None:
    plugin = kind()
    assert isinstance(plugin, Plugin)
    assert isinstance(plugin, Collector)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            await group.start(plugin.serve)
            await plugin.stop()


def test_what_an_owner_can_do_is_found_by_its_methods() -> None:
    assert [isinstance(Owner(), kind) for kind in (WorkerOwner, Resettable, Scalable)] == [True, False, False]
    assert [isinstance(FullOwner(), kind) for kind in (WorkerOwner, Resettable, Scalable)] == [True, True, True]


async def test_the_informer_lists_owners_and_their_workers() -> None:
    assert methods(InformerPlugin()).list(True) == []
    owner = Owner()
    informer = methods(InformerPlugin(), owner, FullOwner())
    assert informer.list(True) == ["full", "owner"]
    async with pool(sdk("echo")) as owner.pool:
        (first, second) = informer.workers("owner")["workers"]
        assert first.pid != second.pid
    owner.pool = None
    assert informer.workers("owner") == {"workers": None}
    assert informer.workers("nobody") == {"workers": None}


async def test_the_informer_tells_a_pools_figures() -> None:
    owner = FullOwner()
    informer = methods(InformerPlugin(), owner, Owner())
    for name in ("full", "owner", "nobody"):
        assert informer.pool(name) is None
    async with pool(sdk("echo")) as owner.pool:
        assert informer.pool("full") == PoolInfo(workers=2, waiting=0, running=0, served=0, no_free_workers=0)


async def test_the_informer_makes_a_pool_larger_and_smaller() -> None:
    owner = FullOwner()
    informer = methods(InformerPlugin(), owner)
    async with pool(sdk("echo"), num_workers=1) as owner.pool:
        assert await informer.add_worker("full") is True
        assert informer.pool("full").workers == 2
        assert await informer.remove_worker("full") is True
        await until(lambda: informer.pool("full").workers == 1)
        with pytest.raises(HostError, match="last"):
            await informer.remove_worker("full")
        assert informer.pool("full").workers == 1


async def test_a_pools_error_is_one_that_its_client_is_told() -> None:
    informer = methods(InformerPlugin(), FullOwner())
    resetter = methods(ResetterPlugin(), FullOwner())
    for call in (informer.add_worker, informer.remove_worker, resetter.reset):
        with pytest.raises(HostError, match=r"^the worker pool is closed$") as told:
            await call("full")
        assert isinstance(told.value.__cause__, PoolError)


async def test_a_plugin_that_cannot_do_it_is_no_such_plugin() -> None:
    informer = methods(InformerPlugin(), Owner())
    resetter = methods(ResetterPlugin(), Owner())
    for call in (informer.add_worker, informer.remove_worker, resetter.reset):
        for name in ("owner", "nobody"):
            with pytest.raises(HostError, match=rf"^no such plugin: {name}$"):
                await call(name)


async def test_the_resetter_replaces_every_worker() -> None:
    owner = FullOwner()
    resetter = methods(ResetterPlugin(), owner)
    assert resetter.list(True) == ["full"]
    async with pool(sdk("echo")) as owner.pool:
        before = {worker.pid for worker in owner.workers()}
        assert await resetter.reset("full") is True
        await until(lambda: len(owner.workers()) == 2)
        assert not before & {worker.pid for worker in owner.workers()}


async def test_a_worker_that_does_not_come_up_is_told_in_its_own_words() -> None:
    class Broken(FullOwner):
        async def reset(self) -> None:
            raise WorkerBootError(["php", "worker.php"], "died with status 3")

    with pytest.raises(WorkerBootError, match=r"'php worker\.php' died with status 3"):
        await methods(ResetterPlugin(), Broken()).reset("full")
