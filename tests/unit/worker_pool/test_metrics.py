from __future__ import annotations

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from rrpy.worker_pool.informer import InformerPlugin
from rrpy.worker_pool.metrics import PoolCollector
from rrpy.worker_pool.protocols import PoolInfo, WorkerInfo
from rrpy.worker_pool.states import State


class Owner:
    def __init__(self, name: str, states: Sequence[State] = (), info: PoolInfo | None = None) -> None:
        self.name = name
        self._states = states
        self._info = info

    def workers(self) -> list[WorkerInfo]:
        return [
            WorkerInfo(100 + number, int(state), 0, 0, 1000 * (number + 1), 0.0, status_str=state.text)
            for number, state in enumerate(self._states)
        ]

    def pool_info(self) -> PoolInfo | None:
        return self._info


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
    owner = Owner("smtp", states, PoolInfo(workers=6, waiting=3, running=1, served=42, no_free_workers=5))
    found = numbers(PoolCollector({"smtp": owner}, {"smtp": owner}))
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
    owner = Owner("smtp")
    found = numbers(PoolCollector({"smtp": owner}, {"smtp": owner}))
    assert len(found) == 8
    assert set(found.values()) == {0}


def test_a_plugin_that_tells_nothing_of_its_pool_has_its_workers_alone():
    found = numbers(PoolCollector({"mine": Owner("mine", [State.READY])}, {}))
    assert found["rr_mine_total_workers"] == 1
    assert "rr_mine_requests_queue" not in found


def test_a_name_that_is_no_metrics_name_becomes_one():
    assert "rr_my_own_plugin_total_workers" in numbers(PoolCollector({"my-own.plugin": Owner("my-own.plugin")}, {}))


@pytest.mark.parametrize("early", [True, False])
def test_the_informer_shows_also_those_who_come_after_it_was_asked(early):
    informer = InformerPlugin()
    collectors = informer.metrics_collectors() if early else []
    for wish in informer.collects():
        wish.add(Owner("late", [State.READY], PoolInfo(1, 0, 0, 7, 0)))
    (collector,) = collectors or informer.metrics_collectors()
    assert numbers(collector)["rr_late_requests_total"] == 7
