from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from prometheus_client import CollectorRegistry

from rrpy.worker_pool.collector import PoolCollector
from rrpy.worker_pool.informer import InformerPlugin
from rrpy.worker_pool.protocols import PoolInfo, WorkerInfo
from rrpy.worker_pool.registry import KnownGroups
from rrpy.worker_pool.states import State


class Group:
    """A WorkerGroup whose workers are in these states."""

    def __init__(self, states: Sequence[State] = (), info: PoolInfo | None = None) -> None:
        self._states = states
        self._info = info

    def workers(self) -> list[WorkerInfo]:
        return [
            WorkerInfo(100 + number, int(state), 0, 0, 1000 * (number + 1), 0.0, status_str=state.text)
            for number, state in enumerate(self._states)
        ]

    def info(self) -> PoolInfo | None:
        return self._info

    async def reset(self) -> None: ...

    async def add_worker(self) -> None: ...

    async def remove_worker(self) -> None: ...


class Owner:
    """A plugin with these groups."""

    def __init__(self, groups: Mapping[str, Group]) -> None:
        self._groups = groups

    def worker_groups(self) -> Mapping[str, Group]:
        return self._groups


def collector_of(groups: Mapping[str, Group]) -> PoolCollector:
    known = KnownGroups()
    known.add(Owner(groups))
    return PoolCollector(known)


def numbers(collector: PoolCollector) -> dict[str, float]:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(collector)
    found = {}
    for family in registry.collect():
        for sample in family.samples:
            labels = ",".join(sample.labels[name] for name in sorted(sample.labels))
            found[f"{sample.name}({labels})" if labels else sample.name] = sample.value
    return found


def test_the_workers_of_a_plugin_are_counted_by_their_states():
    states = [State.READY, State.WORKING, State.READY, State.INACTIVE, State.MAX_JOBS_REACHED, State.INVALID]
    group = Group(states, PoolInfo(workers=6, waiting=3, running=1, served=42, no_free_workers=5))
    found = numbers(collector_of({"smtp": group}))
    assert found.pop("rr_smtp_worker_state(101,working)") == 1
    assert found.pop("rr_smtp_worker_memory_bytes(105)") == 6000
    assert {name: value for name, value in found.items() if "(" not in name} == {
        "rr_smtp_total_workers": 6,
        "rr_smtp_workers_ready": 2,
        "rr_smtp_workers_working": 1,
        "rr_smtp_workers_invalid": 3,
        "rr_smtp_workers_memory_bytes": 21000,
        "rr_smtp_requests_queue": 3,
        "rr_smtp_requests_total": 42,
        "rr_smtp_no_free_workers_total": 5,
    }


def test_a_pool_that_is_not_up_has_zeros():
    found = numbers(collector_of({"smtp": Group()}))
    assert len(found) == 8
    assert set(found.values()) == {0}


def test_every_group_has_its_own_numbers():
    found = numbers(collector_of({"mine": Group([State.READY]), "yours": Group([State.READY] * 2)}))
    assert (found["rr_mine_total_workers"], found["rr_yours_total_workers"]) == (1, 2)


def test_a_name_that_is_no_metrics_name_becomes_one():
    assert "rr_my_own_plugin_total_workers" in numbers(collector_of({"my-own.plugin": Group()}))


def test_the_pool_of_jobs_leaves_the_name_of_requests_to_roadrunners_metric():
    found = numbers(collector_of({"jobs": Group(), "jobs.fast": Group()}))
    assert "rr_jobs_requests_total" not in found
    assert {"rr_jobs_requests_queue", "rr_jobs_fast_requests_total"} <= set(found)


@pytest.mark.parametrize("early", [True, False])
def test_the_informer_shows_also_the_groups_of_plugins_that_it_collects_later(early):
    informer = InformerPlugin()
    collectors = informer.metrics_collectors() if early else []
    groups = {"late": Group([State.READY], PoolInfo(1, 0, 0, 7, 0))}
    for each in informer.collects():
        each.add(Owner(groups))
    (collector,) = collectors or informer.metrics_collectors()
    assert numbers(collector)["rr_late_requests_total"] == 7
