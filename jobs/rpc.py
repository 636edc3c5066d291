"""The methods of the service `jobs` (docs/reference/rpc.md), in JSON, msgpack and protobuf.

The messages are those of jobs.v1 in RoadRunner's API, which PHP's client sends as protobuf.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import field

from ..rpc.proto import Number, ProtoMessage
from .consumer import Consumer
from .errors import JobsError
from .job import MAX_DELAY, MAX_ID, Job, new_id
from .pipelines import Pipelines
from .protocols import DeadJob
from .stat import PipelineStat


class JobHeader(ProtoMessage, frozen=True):
    """The values of a header. RoadRunner calls it HeaderValue."""

    value: list[str] = field(default_factory=list)


class JobOptions(ProtoMessage, frozen=True):
    """How a job is pushed. `priority`: 0 takes that of the pipeline, as in RoadRunner. `delay`: seconds."""

    priority: int = 0
    pipeline: str = ""
    delay: int = 0
    auto_ack: Annotated[bool, Number(6)] = False


class PushedJob(ProtoMessage, frozen=True):
    """A job of a client. `id`: empty for a new one. RoadRunner calls it Job."""

    job: str = ""
    id: str = ""
    payload: bytes = b""
    headers: dict[str, JobHeader] = field(default_factory=dict)
    options: JobOptions = JobOptions()


class PushRequest(ProtoMessage, frozen=True):
    """The argument of Push."""

    job: PushedJob = PushedJob()


class PushBatchRequest(ProtoMessage, frozen=True):
    """The argument of PushBatch."""

    jobs: list[PushedJob] = field(default_factory=list)


class Pushed(ProtoMessage, frozen=True):
    """The ids of jobs that were pushed. RoadRunner returns an empty message."""

    ids: Annotated[list[str], Number(100)] = field(default_factory=list)


class PipelineNames(ProtoMessage, frozen=True):
    """The names of pipelines. RoadRunner calls it Pipelines."""

    pipelines: list[str] = field(default_factory=list)


class DeclareRequest(ProtoMessage, frozen=True):
    """A pipeline: its `name`, its `driver`, and the keys of its `config`, each as a text."""

    pipeline: dict[str, str] = field(default_factory=dict)


class _Push:
    """The result of one push, now or later."""

    def __init__(self) -> None:
        self.done = False
        self._error: JobsError | None = None
        self._waiting: asyncio.Future[None] | None = None

    def take(self, error: JobsError | None) -> None:
        """Take the result from the pipeline."""
        self.done, self._error = True, error
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self) -> None:
        """Wait for the result."""
        if not self.done:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def check(self) -> None:
        """Raise the error, if it is one."""
        if self._error is not None:
            # A queue gives the same error to all pushes. Its traceback would keep the jobs of each of them.
            raise self._error.with_traceback(None)


async def _waited(pushes: Sequence[_Push], ids: Pushed) -> Pushed:
    """Return the ids after all pushes have succeeded."""
    for push in pushes:
        await push.wait()
        push.check()
    return ids


class DeadQuery(msgspec.Struct):
    """Which dead jobs of a pipeline. `limit`: at most so many. `after`: those after this id."""

    pipeline: str
    limit: int = 100
    after: str = ""


class DeadChange(msgspec.Struct):
    """Dead jobs of a pipeline by their ids; None means all."""

    pipeline: str
    ids: list[str] | None = None


class Stats(ProtoMessage, frozen=True):
    """All pipelines."""

    stats: list[PipelineStat] = field(default_factory=list)


class Declares(Protocol):
    """Makes and ends pipelines while the host runs."""

    async def declare(self, values: Mapping[str, str]) -> None:
        """Make a pipeline. Raises ConfigError, JobsError."""
        ...

    async def destroy(self, name: str) -> None:
        """End a pipeline. Raises JobsError."""
        ...


class JobsRPC:
    """The methods."""

    def __init__(self, pipelines: Pipelines, declares: Declares) -> None:
        self._pipelines = pipelines
        self._declares = declares

    def push(self, request: PushRequest) -> Pushed | Awaitable[Pushed]:
        """Push a job, and return its id once it is as safe as the pipeline can make it."""
        return self._push([request.job])

    def push_batch(self, request: PushBatchRequest) -> Pushed | Awaitable[Pushed]:
        """Push jobs, and return their ids. With memory and sqlite a pipeline takes all or none."""
        return self._push(request.jobs, batch=True)

    def pause(self, request: PipelineNames) -> None:
        """Pull no more jobs of these pipelines."""
        for consumer in self._consumers(request):
            consumer.pause()

    def resume(self, request: PipelineNames) -> None:
        """Pull jobs of these pipelines again."""
        for consumer in self._consumers(request):
            consumer.resume()

    async def declare(self, request: DeclareRequest) -> None:
        """Make a pipeline, until the host ends. It is paused."""
        await self._declares.declare(request.pipeline)

    async def destroy(self, request: PipelineNames) -> PipelineNames:
        """End pipelines: their jobs go on, then their queues close. Return their names."""
        for name in request.pipelines:
            await self._declares.destroy(name)
        return request

    def list(self, _: Any = None) -> PipelineNames:
        """Return the names of the pipelines."""
        return PipelineNames([*self._pipelines.all])

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

    def _consumers(self, request: PipelineNames) -> Sequence[Consumer]:
        found = []
        for name in request.pipelines:
            consumer = self._pipelines.find(name).consumer
            if consumer is None:
                raise JobsError(f"this host does not consume the pipeline {name}; name it in jobs.consume")
            found.append(consumer)
        return found

    def _push(self, pushed: Sequence[PushedJob], *, batch: bool = False) -> Pushed | Awaitable[Pushed]:
        """Push jobs. Return the result at once where every pipeline has them at once: a task would cost more."""
        jobs = [self._job(each) for each in pushed]
        ids = Pushed([job.id for job in jobs])
        parts: dict[str, list[Job]] = {}
        for job in jobs:
            parts.setdefault(job.pipeline, []).append(job)
        pushes = []
        for name, part in parts.items():
            push = _Push()
            self._pipelines.find(name).push(part, push.take, batch=batch)
            pushes.append(push)
        if all(push.done for push in pushes):
            for push in pushes:
                push.check()
            return ids
        return _waited(pushes, ids)

    def _job(self, pushed: PushedJob) -> Job:
        options = pushed.options
        pipeline = self._pipelines.find(options.pipeline)
        if len(pushed.id) > MAX_ID:
            raise JobsError(f"the id of a job has at most {MAX_ID} characters")
        if options.delay > MAX_DELAY:
            raise JobsError(f"the delay of a job is at most {MAX_DELAY:.0f} s")
        return Job(
            pushed.id or new_id(),
            pushed.job,
            pipeline.name,
            pushed.payload,
            headers={name: header.value for name, header in pushed.headers.items()},
            priority=options.priority or pipeline.options.priority,
            due=time.time() + options.delay if options.delay > 0 else 0.0,
            auto_ack=options.auto_ack,
        )
