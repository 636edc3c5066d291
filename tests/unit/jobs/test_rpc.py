"""The methods of jobs, without a host."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from rrpy.jobs.job import Job
from rrpy.jobs.protocols import Away, Done, JobsError
from rrpy.jobs.rpc import JobOptions, JobsRPC, PushedJob, PushRequest


@pytest.mark.anyio
async def test_an_error_that_a_queue_gives_to_every_push_keeps_no_job() -> None:
    """Its traceback grew with each push, and held the payloads: some gigabytes for a full pipeline."""
    error = Away("closed")

    def push(jobs: Sequence[Job], done: Done, *, batch: bool) -> None:
        done(error)

    pipeline = SimpleNamespace(name="mail", options=SimpleNamespace(priority=10), push=push)
    pipelines: Any = SimpleNamespace(find=lambda _: pipeline)
    methods = JobsRPC(pipelines, declares=None)  # type: ignore[arg-type]  # nothing is declared
    for _ in range(5):
        with pytest.raises(Away):
            await methods.push(PushRequest(PushedJob("x", options=JobOptions(pipeline="mail"))))
    assert len(traceback.extract_tb(error.__traceback__)) < 5


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        # One of 400 digits was an internal error of the host.
        (PushedJob("x", options=JobOptions(pipeline="mail", delay=10**400)), "the delay of a job is at most"),
        # NATS dropped the connection of each host that put the job among the dead, again and again.
        (PushedJob("x", "i" * 256, options=JobOptions(pipeline="mail")), "the id of a job has at most 255 characters"),
    ],
)
def test_a_value_beyond_all_bounds_is_a_sentence(job: PushedJob, sentence: str) -> None:
    pipeline = SimpleNamespace(name="mail", options=SimpleNamespace(priority=10), push=None)
    pipelines: Any = SimpleNamespace(find=lambda _: pipeline)
    methods = JobsRPC(pipelines, declares=None)  # type: ignore[arg-type]  # nothing is declared
    with pytest.raises(JobsError, match=sentence):
        methods.push(PushRequest(job))
