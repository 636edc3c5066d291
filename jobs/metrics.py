"""The numbers of the pipelines, for the plugin `metrics`. A host without that plugin does not import this module."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .counts import BUCKETS, Counts, Durations, Pushes
from .pipelines import Pipeline, Pipelines

_COUNTERS: Final[dict[str, tuple[str, Callable[[Counts], int]]]] = {
    "rr_jobs_push_ok": ("Jobs that were pushed.", lambda counts: counts.pushed),
    "rr_jobs_push_err": ("Jobs whose push failed.", lambda counts: counts.push_failed),
    "rr_jobs_jobs_ok": ("Jobs that workers have done.", lambda counts: counts.ok),
    "rr_jobs_jobs_err": ("Attempts that failed.", lambda counts: counts.failed),
    "rr_jobs_jobs_requeue": ("Jobs that workers have put back.", lambda counts: counts.requeued),
}
_GAUGES: Final[dict[str, tuple[str, Callable[[Pipeline], float]]]] = {
    "rr_jobs_waiting": ("Jobs that wait.", lambda each: each.state().waiting),
    "rr_jobs_running": ("Jobs that a host holds.", lambda each: each.state().running),
    "rr_jobs_delayed": ("Jobs that are not due yet.", lambda each: each.state().delayed),
    "rr_jobs_dead": ("Dead jobs.", lambda each: each.state().dead),
    "rr_jobs_oldest_seconds": (
        "How long the oldest waiting job waits.",
        lambda each: max(0.0, time.time() - each.state().oldest) if each.state().oldest else 0.0,
    ),
    "rr_jobs_connected": ("1 where the pipeline can be used.", lambda each: each.state().connected),
}
_TOTALS: Final[dict[str, tuple[str, Callable[[Pipeline], float]]]] = {
    "rr_jobs_redelivered_total": (
        "Jobs that were held before without a settlement.",
        lambda each: each.state().redelivered,
    ),
    "rr_jobs_duplicates_total": ("Pushes of a job that was there.", lambda each: each.state().duplicates),
}


class JobsCollector(Collector):
    """Reads the pipelines at each scrape."""

    def __init__(self, pipelines: Pipelines) -> None:
        self._pipelines = pipelines

    def describe(self) -> Iterable[Metric]:
        """Return the names without values."""
        return [family for family, _ in self._families()]

    def collect(self) -> Iterable[Metric]:
        """Return the values."""
        for family, add in self._families():
            for pipeline in self._pipelines.all.values():
                add(pipeline)
            yield family

    def _families(self) -> Iterable[tuple[Metric, Callable[[Pipeline], None]]]:
        for name, (text, count) in _COUNTERS.items():
            # RoadRunner's names have no `_total`, which a counter of prometheus_client gets: gauges keep the names.
            gauge = GaugeMetricFamily(name, text, labels=["pipeline"])
            yield gauge, lambda each, gauge=gauge, count=count: gauge.add_metric([each.name], count(each.counts))  # type: ignore[misc]
        for name, (text, read) in _GAUGES.items():
            gauge = GaugeMetricFamily(name, text, labels=["pipeline"])
            yield gauge, lambda each, gauge=gauge, read=read: gauge.add_metric([each.name], float(read(each)))  # type: ignore[misc]
        for name, (text, read) in _TOTALS.items():
            counter = CounterMetricFamily(name, text, labels=["pipeline"])
            yield counter, lambda each, counter=counter, read=read: counter.add_metric([each.name], float(read(each)))  # type: ignore[misc]
        labels = ("job", "driver", "source")  # RoadRunner's; a job is a pipeline there
        requests = CounterMetricFamily("rr_jobs_requests_total", "Jobs that were to be pushed.", labels=labels)
        latency = HistogramMetricFamily("rr_jobs_push_latency", "From the request to the success.", labels=labels)
        yield requests, lambda each: _add_pushes(each, lambda key, pushes: requests.add_metric(key, pushes.requested))
        yield latency, lambda each: _add_pushes(each, lambda key, pushes: _add(latency, key, pushes.latency))
        durations = HistogramMetricFamily(
            "rr_jobs_duration_seconds", "From the request to a worker to its answer.", labels=["pipeline"]
        )
        yield durations, lambda each: _add(durations, [each.name], each.counts.attempts)


def _add_pushes(pipeline: Pipeline, add: Callable[[Sequence[str], Pushes], None]) -> None:
    for source in ("single", "batch"):
        add([pipeline.name, pipeline.driver, source], getattr(pipeline.counts, source))


def _add(histogram: HistogramMetricFamily, labels: Sequence[str], durations: Durations) -> None:
    """Add the values of a pipeline. Prometheus counts each bucket with all that are shorter."""
    bounds = [*map(str, BUCKETS), "+Inf"]
    histogram.add_metric(
        labels, list(zip(bounds, map(float, accumulate(durations.buckets)), strict=True)), durations.seconds
    )
