"""The numbers of every worker group, under RoadRunner's names, for the plugin `metrics`.

They are read from the pools at each scrape: nothing is counted for them. A pool that is not up has zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from .protocols import PoolInfo, WorkerInfo
from .registry import KnownGroups
from .states import State

_OF_PLUGINS: Final = {"rr_jobs_requests"}
"""Names of counters that the plugin of a pool shows itself, with RoadRunner's meaning."""
_NO_POOL = PoolInfo(workers=0, waiting=0, running=0, served=0, no_free_workers=0)


class PoolCollector:
    """A collector of prometheus_client's kind. `groups`: asked at each scrape, so that later ones count too."""

    def __init__(self, groups: KnownGroups) -> None:
        self._groups = groups

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the names of the groups are not known before every plugin is initialised."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Return the numbers of every group."""
        for name, group in self._groups.all().items():
            prefix = f"rr_{re.sub('[^a-zA-Z0-9_]', '_', name)}"
            yield from _workers(prefix, group.workers())
            yield from _pool(prefix, group.info() or _NO_POOL)


def _workers(prefix: str, workers: Sequence[WorkerInfo]) -> Iterable[Metric]:
    ready = sum(worker.status_str == State.READY.text for worker in workers)
    working = sum(worker.status_str == State.WORKING.text for worker in workers)
    memory = sum(worker.memory_usage for worker in workers)
    yield GaugeMetricFamily(f"{prefix}_total_workers", "Total number of workers used by the plugin.", len(workers))
    yield GaugeMetricFamily(f"{prefix}_workers_memory_bytes", "Memory usage by workers.", memory)
    yield GaugeMetricFamily(f"{prefix}_workers_ready", "Workers currently in ready state.", ready)
    yield GaugeMetricFamily(f"{prefix}_workers_working", "Workers currently in working state.", working)
    yield GaugeMetricFamily(
        f"{prefix}_workers_invalid", "Workers currently in any other state.", len(workers) - ready - working
    )
    state = GaugeMetricFamily(
        f"{prefix}_worker_state", "Worker current state, in a label; always 1.", labels=["pid", "state"]
    )
    each = GaugeMetricFamily(f"{prefix}_worker_memory_bytes", "Worker current memory usage.", labels=["pid"])
    for worker in workers:
        state.add_metric([str(worker.pid), worker.status_str], 1)
        each.add_metric([str(worker.pid)], worker.memory_usage)
    yield state
    yield each


def _pool(prefix: str, pool: PoolInfo) -> Iterable[Metric]:
    yield GaugeMetricFamily(f"{prefix}_requests_queue", "Requests that wait for a worker.", pool.waiting)
    if (answered := f"{prefix}_requests") not in _OF_PLUGINS:
        yield CounterMetricFamily(answered, "Requests that the workers have answered.", pool.served)
    yield CounterMetricFamily(
        f"{prefix}_no_free_workers", "Requests refused because no worker was free.", pool.no_free_workers
    )
