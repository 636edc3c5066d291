"""The numbers of pipelines, as Prometheus reads them."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from rrpy.container.log import logger
from rrpy.jobs.config import JobsConfig, PipelineConfig
from rrpy.jobs.counts import BUCKETS, Durations
from rrpy.jobs.drivers.memory import MemoryDriver
from rrpy.jobs.metrics import JobsCollector
from rrpy.jobs.pipelines import Pipelines
from rrpy.jobs.protocols import JobsError
from rrpy.jobs.rpc import JobOptions, JobsRPC, PushBatchRequest, PushedJob, PushRequest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pipelines() -> Any:
    config = JobsConfig(pipelines={"mail": PipelineConfig(config={"max_bytes": 5000})})
    made = Pipelines(config, {}, logger("jobs"))
    made.drivers["memory"] = MemoryDriver()
    made.make(lambda _: 1, drivers_known=True)
    queue = made.all["mail"].queue
    await queue.open()
    yield made
    await queue.aclose()


async def test_pushes_have_roadrunners_names_and_labels(pipelines: Pipelines) -> None:
    registry = CollectorRegistry()
    registry.register(JobsCollector(pipelines))
    methods = JobsRPC(pipelines, declares=None)  # type: ignore[arg-type]  # nothing is declared
    job = PushedJob("x", options=JobOptions(pipeline="mail"))
    methods.push(PushRequest(job))
    methods.push_batch(PushBatchRequest([job, job]))
    with pytest.raises(JobsError, match="no room"):
        methods.push(PushRequest(PushedJob("x", payload=bytes(6000), options=JobOptions(pipeline="mail"))))

    def value(name: str, source: str, **more: str) -> float | None:
        return registry.get_sample_value(name, {"job": "mail", "driver": "memory", "source": source, **more})

    assert [value("rr_jobs_requests_total", source) for source in ("single", "batch")] == [2, 2]
    assert [value("rr_jobs_push_latency_count", source) for source in ("single", "batch")] == [1, 2]
    assert value("rr_jobs_push_latency_bucket", "batch", le="+Inf") == 2
    assert registry.get_sample_value("rr_jobs_push_ok", {"pipeline": "mail"}) == 3
    assert registry.get_sample_value("rr_jobs_push_err", {"pipeline": "mail"}) == 1


def test_a_duration_is_in_the_first_bucket_that_is_not_shorter() -> None:
    durations = Durations()
    for seconds in (0, BUCKETS[0], BUCKETS[0] + 1e-9, BUCKETS[-1], BUCKETS[-1] + 1):
        durations.add(seconds)
    assert (durations.buckets[0], durations.buckets[1], durations.buckets[-2], durations.buckets[-1]) == (2, 1, 1, 1)
    durations.add(2, times=3)
    assert durations.seconds == pytest.approx(sum((BUCKETS[0] * 2, BUCKETS[-1] * 2, 1, 6)))
