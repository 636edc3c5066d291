"""The `informer` and `resetter` plugins, with the pools of the plugin `server` and with workers of another kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import pytest
from prometheus_client import CollectorRegistry
from support.log import Log
from support.waiting import until
from support.worker_pool.pools import ZOO, beast, sdk

from rrpy.container.config import Config
from rrpy.container.errors import HostError
from rrpy.container.health import FINE, ReadinessChecks, unavailable
from rrpy.container.protocols import Collector, Plugin
from rrpy.worker_pool import (
    LastWorker,
    PoolConfig,
    PoolError,
    PoolInfo,
    WorkerBootError,
    WorkerGroup,
    WorkerGroups,
    WorkerInfo,
)
from rrpy.worker_pool.informer import InformerPlugin
from rrpy.worker_pool.plugin import ServerPlugin
from rrpy.worker_pool.resetter import ResetterPlugin

pytestmark = pytest.mark.anyio

TWO = PoolConfig(num_workers=2)
ONE = PoolConfig(num_workers=1)
NO_WORKERS = PoolInfo(workers=0, waiting=0, running=0, served=0, no_free_workers=0)


class Machines:
    """Workers that no pool has made."""

    def __init__(self, error: PoolError | None = None) -> None:
        self.error = error
        self.resets = 0

    def workers(self) -> Sequence[WorkerInfo]:
        return [WorkerInfo(7, 1, 0, 0, 1000, 0.0, status_str="ready")]

    def info(self) -> PoolInfo | None:
        return None

    async def reset(self) -> None:
        self.resets += 1
        if self.error is not None:
            raise self.error

    async def add_worker(self) -> None:
        raise LastWorker

    async def remove_worker(self) -> None:
        raise LastWorker


class Renderer:
    """A plugin with workers of its own kind."""

    name = "renderer"

    def __init__(self, **groups: WorkerGroup) -> None:
        self.groups = groups

    def worker_groups(self) -> Mapping[str, WorkerGroup]:
        return self.groups


class Unrelated:
    """A plugin whose methods happen to have the names of a group's."""

    name = "unrelated"

    def workers(self) -> str:
        return "of the world, unite"

    async def reset(self) -> None:
        raise AssertionError("not a worker's")


@pytest.fixture
def server() -> ServerPlugin:
    plugin = ServerPlugin()
    section = {"command": sdk("echo"), "env": {"PYTHONPATH": str(ZOO.parents[1] / "worker")}}
    plugin.init(Config.from_dict({"server": section}), Log(), None)
    return plugin


def collecting(plugin: Any, *others: object) -> Any:
    """Return a plugin after the container has handed it the others."""
    plugin.init(*([Log()] if isinstance(plugin, ResetterPlugin) else []))
    for each in plugin.collects():
        for other in others:
            if isinstance(other, each.protocol):
                each.add(other)
    return plugin


def informer_of(*others: object) -> Any:
    return collecting(InformerPlugin(), *others).rpc()


def resetter_of(*others: object) -> Any:
    return collecting(ResetterPlugin(), *others).rpc()


@pytest.mark.parametrize("kind", [InformerPlugin, ResetterPlugin])
async def test_they_are_plugins_that_collect_and_serve_until_they_are_stopped(kind: type[Any]) -> None:
    plugin = kind()
    assert isinstance(plugin, Plugin)
    assert isinstance(plugin, Collector)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            await group.start(plugin.serve)
            await plugin.stop()


def test_a_plugin_has_workers_by_one_method_and_by_no_other() -> None:
    assert [isinstance(each, WorkerGroups) for each in (ServerPlugin(), Renderer(), Unrelated())] == [True, True, False]
    for served in (informer_of(Unrelated()), resetter_of(Unrelated())):
        assert served.list(True) == []


# The pools of the plugin `server`.


async def test_a_pool_is_listed_by_its_name_before_it_is_up_and_after_it_is_down(server: ServerPlugin) -> None:
    informer, resetter = informer_of(server), resetter_of(server)
    assert informer.list(True) == resetter.list(True) == []
    orders = server.new_pool(TWO, {}, name="orders")
    server.new_pool(ONE, {}, name="invoices")

    async def nothing_to_show() -> None:
        assert informer.list(True) == resetter.list(True) == ["invoices", "orders"]
        assert informer.workers("orders") == {"workers": None}
        assert informer.pool("orders") is None
        assert await resetter.reset("orders") is True
        for change in (informer.add_worker, informer.remove_worker):
            with pytest.raises(HostError, match=r"^the workers are not up: the plugin is starting or stopping$"):
                await change("orders")

    await nothing_to_show()
    async with orders:
        (first, second) = informer.workers("orders")["workers"]
        assert first.pid != second.pid
        assert informer.pool("orders") == PoolInfo(workers=2, waiting=0, running=0, served=0, no_free_workers=0)
        assert informer.workers("nobody") == {"workers": None}
        assert informer.pool("nobody") is None
    await nothing_to_show()


async def test_a_pool_is_reset_by_its_name(server: ServerPlugin) -> None:
    informer, resetter = informer_of(server), resetter_of(server)
    async with server.new_pool(TWO, {}, name="orders") as pool:
        before = {worker.pid for worker in pool.workers()}
        assert await resetter.reset("orders") is True
        await until(lambda: len(informer.workers("orders")["workers"]) == 2)
        assert not before & {worker.pid for worker in pool.workers()}


async def test_a_pool_is_made_larger_and_smaller_by_its_name(server: ServerPlugin) -> None:
    informer = informer_of(server)
    async with server.new_pool(ONE, {}, name="orders"):
        assert await informer.add_worker("orders") is True
        assert informer.pool("orders").workers == 2
        assert await informer.remove_worker("orders") is True
        await until(lambda: informer.pool("orders").workers == 1)
        with pytest.raises(PoolError, match="last"):
            await informer.remove_worker("orders")
        assert informer.pool("orders").workers == 1


async def test_the_numbers_of_a_pool_are_exported_under_its_name(server: ServerPlugin) -> None:
    registry = CollectorRegistry(auto_describe=True)
    for collector in collecting(InformerPlugin(), server).metrics_collectors():
        registry.register(collector)
    orders = server.new_pool(TWO, {}, name="orders")
    assert registry.get_sample_value("rr_orders_total_workers") == 0
    async with orders:
        assert registry.get_sample_value("rr_orders_workers_ready") == 2
        assert registry.get_sample_value("rr_orders_requests_total") == 0
        assert registry.get_sample_value("rr_orders_requests_queue") == 0


async def test_a_pool_is_ready_while_a_worker_can_take_a_request_and_counts_until_it_is_left(
    server: ServerPlugin,
) -> None:
    assert isinstance(server, ReadinessChecks)
    assert server.readiness_checks() == {}
    orders = server.new_pool(ONE, {}, name="orders")
    assert server.readiness_checks()["orders"]() == unavailable("no worker is up")
    async with orders:
        assert server.readiness_checks()["orders"]() == FINE
    assert server.readiness_checks() == {}
    dying = PoolConfig(num_workers=1, command=beast("dies_young"))
    async with server.new_pool(dying, {}, name="orders"):
        await until(lambda: server.readiness_checks()["orders"]() == unavailable("no worker is up"))
    debug = PoolConfig(num_workers=1, debug=True)
    async with server.new_pool(debug, {}, name="orders"):
        assert server.readiness_checks()["orders"]() == FINE


async def test_two_pools_in_use_cannot_have_the_same_name(server: ServerPlugin) -> None:
    text = r"^there is a worker pool called orders already; each pool needs a name of its own$"
    first = server.new_pool(ONE, {}, name="orders")
    with pytest.raises(HostError, match=text):
        server.new_pool(ONE, {}, name="orders")
    async with first:
        with pytest.raises(HostError, match=text):
            server.new_pool(ONE, {}, name="orders")
    async with server.new_pool(ONE, {}, name="orders"):  # the first one is left
        with pytest.raises(HostError, match=text):
            await first.__aenter__()
    async with first:
        assert informer_of(server).workers("orders")["workers"]


async def test_the_name_of_a_pool_that_did_not_come_up_is_free_again(server: ServerPlugin) -> None:
    with pytest.raises(WorkerBootError):
        async with server.new_pool(PoolConfig(command=beast("dies_at_boot")), {}, name="orders"):
            pytest.fail("the pool came up")
    assert server.readiness_checks() == {}
    async with server.new_pool(ONE, {}, name="orders"):
        assert informer_of(server).list(True) == ["orders"]


# Workers of another kind.


async def test_a_plugin_may_have_workers_of_its_own_kind(server: ServerPlugin) -> None:
    machines = Machines()
    others = (server, Renderer(renderer=machines))
    informer, resetter = informer_of(*others), resetter_of(*others)
    async with server.new_pool(ONE, {}, name="orders"):
        assert informer.list(True) == resetter.list(True) == ["orders", "renderer"]
        assert [worker.pid for worker in informer.workers("renderer")["workers"]] == [7]
        assert informer.pool("renderer") is None
        await resetter.reset("renderer")
        assert machines.resets == 1


async def test_a_group_s_error_reaches_the_client() -> None:
    machines = Renderer(renderer=Machines(PoolError("the machines are on strike")))
    with pytest.raises(PoolError, match=r"^the machines are on strike$"):
        await resetter_of(machines).reset("renderer")
    for change in (informer_of(machines).add_worker, informer_of(machines).remove_worker):
        with pytest.raises(HostError, match="the last worker cannot be removed"):
            await change("renderer")


async def test_a_worker_that_does_not_come_up_is_told_in_its_own_words() -> None:
    broken = Renderer(renderer=Machines(WorkerBootError(["php", "worker.php"], "died with status 3")))
    with pytest.raises(WorkerBootError, match=r"'php worker\.php' died with status 3"):
        await resetter_of(broken).reset("renderer")


async def test_an_unknown_name_is_no_such_plugin(server: ServerPlugin) -> None:
    informer, resetter = informer_of(server), resetter_of(server)
    for call in (informer.add_worker, informer.remove_worker, resetter.reset):
        with pytest.raises(HostError, match=r"^no such plugin: nobody$"):
            await call("nobody")


def test_two_plugins_cannot_have_workers_of_the_same_name(server: ServerPlugin) -> None:
    server.new_pool(ONE, {}, name="orders")
    text = re.escape("two plugins have workers called orders; each group needs a name of its own")
    with pytest.raises(HostError, match=text):
        informer_of(server, Renderer(orders=Machines())).list(True)
