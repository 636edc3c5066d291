from __future__ import annotations

from dataclasses import dataclass

import pytest

from rrpy.container.config.fields import Duration
from rrpy.worker_pool.config import SupervisorConfig
from rrpy.worker_pool.limits import limit_reached
from rrpy.worker_pool.states import State

MB = 1024 * 1024


@dataclass
class Row:
    """A worker that came up at 100 and was idle since 150."""

    served: int = 1
    up_since: float = 100.0
    idle_since: float = 150.0
    busy: bool = False


def limits(ttl: float = 0, idle_ttl: float = 0, memory: int = 0) -> SupervisorConfig:
    return SupervisorConfig(ttl=Duration(ttl), idle_ttl=Duration(idle_ttl), max_worker_memory=memory)


@pytest.mark.parametrize(
    ("worker", "allowed", "reached"),
    [
        (Row(), limits(), None),
        (Row(), limits(ttl=100.5), None),
        (Row(), limits(ttl=100), State.TTL_REACHED),
        (Row(busy=True), limits(ttl=100), State.TTL_REACHED),
        (Row(), limits(idle_ttl=50.5), None),
        (Row(), limits(idle_ttl=50), State.IDLE_TTL_REACHED),
        (Row(busy=True), limits(idle_ttl=50), None),
        (Row(served=0), limits(idle_ttl=50), None),
        (Row(), limits(memory=11), None),
        (Row(), limits(memory=10), State.MAX_MEMORY_REACHED),
        (Row(busy=True), limits(memory=10), State.MAX_MEMORY_REACHED),
        (Row(), limits(ttl=1, idle_ttl=1, memory=1), State.TTL_REACHED),
        (Row(), limits(idle_ttl=1, memory=1), State.IDLE_TTL_REACHED),
    ],
)
def test_a_worker_reaches_its_age_its_idleness_or_its_memory(worker, allowed, reached):
    assert limit_reached(worker, allowed, 200.0, lambda: 10 * MB) is reached


def test_the_memory_is_not_looked_at_without_a_limit():
    def memory() -> int:
        raise AssertionError

    assert limit_reached(Row(), limits(ttl=500), 200.0, memory) is None
