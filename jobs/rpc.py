"""The methods of the service `jobs` (docs/reference/rpc.md), in JSON and msgpack.

An argument is RoadRunner's message as JSON: `{"job": {...}}`, `{"jobs": [...]}`, `{"pipelines": ["a"]}`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from .errors import JobsError
from .job import Job, new_id
from .pipelines import Pipeline, Pipelines, PipelineStat
from .protocols import DeadJob


class JobHeader(msgspec.Struct):
    """The values of a header."""

    value: list[str] = []


class JobOptions(msgspec.Struct):
    """How a job is pushed. `priority`: 0 takes that of the pipeline, as in RoadRunner. `delay`: seconds."""

    pipeline: str = ""
    priority: int = 0
    delay: float = 0
    auto_ack: bool = False


class PushedJob(msgspec.Struct):
    """A job of a client. `id`: empty for a new one. `payload`: a text, or bytes in msgpack."""

    job: str
    options: JobOptions
    id: str = ""
    payload: Any = b""
    headers: dict[str, JobHeader | list[str]] = {}


class PushRequest(msgspec.Struct):
    """The argument of Push."""

    job: PushedJob


class PushBatchRequest(msgspec.Struct):
    """The argument of PushBatch."""

    jobs: list[PushedJob]


class PipelineNames(msgspec.Struct):
    """The names of pipelines."""

    pipelines: list[str] = []


class DeadQuery(msgspec.Struct):
    """Which dead jobs of a pipeline. `limit`: at most so many. `after`: those after this id."""

    pipeline: str
    limit: int = 100
    after: str = ""


class DeadChange(msgspec.Struct):
    """Dead jobs of a pipeline by their ids; None means all."""

    pipeline: str
    ids: list[str] | None = None


class Stats(msgspec.Struct, frozen=True):
    """All pipelines."""

    stats: Sequence[PipelineStat]


class JobsRPC:
    """The methods."""

    def __init__(self, pipelines: Pipelines) -> None:
        self._pipelines = pipelines

    async def push(self, request: PushRequest) -> dict[str, Any]:
        """Push a job, and return its id once it is as safe as the pipeline can make it."""
        (job_id,) = await self._push([request.job])
        return {"id": job_id}

    async def push_batch(self, request: PushBatchRequest) -> dict[str, Any]:
        """Push jobs, and return their ids. Those of one pipeline are pushed together: all or none, with sqlite."""
        return {"ids": await self._push(request.jobs)}

    def pause(self, request: PipelineNames) -> dict[str, Any]:
        """Pull no more jobs of these pipelines."""
        for pipeline in self._consumed(request):
            if pipeline.consumer is not None:
                pipeline.consumer.pause()
        return {}

    def resume(self, request: PipelineNames) -> dict[str, Any]:
        """Pull jobs of these pipelines again."""
        for pipeline in self._consumed(request):
            if pipeline.consumer is not None:
                pipeline.consumer.resume()
        return {}

    def list(self, _: Any = None) -> dict[str, Any]:
        """Return the names of the pipelines."""
        return {"pipelines": list(self._pipelines.all)}

    def stat(self, _: Any = None) -> Stats:
        """Return the figures of the pipelines."""
        return Stats([pipeline.stat() for pipeline in self._pipelines.all.values()])

    async def dead(self, query: DeadQuery) -> Mapping[str, Sequence[DeadJob]]:
        """Return dead jobs of a pipeline in the order of their ids, with the reasons."""
        limit = min(max(1, query.limit), 1000)
        return {"jobs": await self._pipelines.find(query.pipeline).queue.list_dead(limit, query.after)}

    async def retry(self, change: DeadChange) -> int:
        """Put dead jobs into their queue again; return their number."""
        return await self._pipelines.find(change.pipeline).queue.revive(change.ids)

    async def purge(self, change: DeadChange) -> int:
        """Delete dead jobs; return their number."""
        return await self._pipelines.find(change.pipeline).queue.purge(change.ids)

    def _consumed(self, request: PipelineNames) -> Sequence[Pipeline]:
        found = [self._pipelines.find(name) for name in request.pipelines]
        for pipeline in found:
            if pipeline.consumer is None:
                raise JobsError(f"this host does not consume the pipeline {pipeline.name}; name it in jobs.consume")
        return found

    async def _push(self, pushed: Sequence[PushedJob]) -> Sequence[str]:
        jobs = [self._job(each) for each in pushed]
        for name in dict.fromkeys(job.pipeline for job in jobs):
            done: asyncio.Future[JobsError | None] = asyncio.get_running_loop().create_future()

            def take(error: JobsError | None, done: asyncio.Future[JobsError | None] = done) -> None:
                if not done.done():
                    done.set_result(error)

            self._pipelines.find(name).push([job for job in jobs if job.pipeline == name], take)
            error = await done
            if error is not None:
                raise error
        return [job.id for job in jobs]

    def _job(self, pushed: PushedJob) -> Job:
        options = pushed.options
        pipeline = self._pipelines.find(options.pipeline)
        payload = pushed.payload.encode() if isinstance(pushed.payload, str) else pushed.payload
        if not isinstance(payload, bytes):
            raise JobsError("the payload of a job is a text, or bytes")
        headers = {
            name: value.value if isinstance(value, JobHeader) else value for name, value in pushed.headers.items()
        }
        return Job(
            pushed.id or new_id(),
            pushed.job,
            pipeline.name,
            payload,
            headers=headers,
            priority=options.priority or pipeline.options.priority,
            due=time.time() + options.delay if options.delay > 0 else 0.0,
            auto_ack=options.auto_ack,
        )
