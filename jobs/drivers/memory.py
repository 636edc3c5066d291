"""The driver `memory`: jobs in this process, which end with it.

Waiting jobs are in one heap for each priority, in the order of their numbers, and the priorities are in one heap too. A
number is given by a push and by a retry; `give_back` keeps it. Delayed jobs are in a heap by the loop's clock, so a
clock that is set changes nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta, Struct

from ..job import first_page
from ..protocols import Away, DeadJob, Done, Full, Headers, Job, JobsError, PipelineSettings, Promise, QueueState

DEFAULT_BYTES: Final = 256 * 1024 * 1024
_PRIORITIES: Final = 64
"""Priorities in which the figures look for the oldest job; the lowest is among them."""


class MemoryPipeline(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a pipeline in memory."""

    max_bytes: Annotated[
        int,
        Meta(ge=0, description="the limit for the bytes of all jobs, dead ones too; 0 means no limit"),
    ] = DEFAULT_BYTES


class _Held:
    """A job in the queue; the Delivery of one that is held. `since`: the time of its push or retry."""

    __slots__ = ("_queue", "attempt", "job", "number", "since")

    redelivered: Final = False

    def __init__(self, queue: MemoryQueue, job: Job) -> None:
        self._queue = queue
        self.job = job
        self.attempt = 1
        self.number = 0
        self.since = 0.0

    def ack(self) -> None:
        """Delete the job."""
        self._queue.delete(self)

    def retry(self, delay: float, headers: Headers | None = None) -> None:
        """Put it into the queue again, with `attempt` one higher."""
        if headers is not None:
            self._queue.change(self, msgspec.structs.replace(self.job, headers=headers))
        self.attempt += 1
        self._queue.put(self, delay)

    def give_back(self) -> None:
        """Put it back as it was."""
        self._queue.put_back(self)

    def dead(self, reason: str) -> None:
        """Put it among the dead."""
        self._queue.bury(self, reason)


class MemoryQueue:
    """The jobs of one pipeline. See `jobs/protocols.py`."""

    sorts: Final = True
    atomic: Final = True
    place: Final = ""
    promise: Final = Promise("is in memory, and ends with this process")

    def __init__(self, settings: PipelineSettings) -> None:
        self._name = settings.name
        self._max_bytes: int = settings.config.max_bytes
        self._jobs: dict[str, _Held] = {}  # by id, in every state
        self._waiting: dict[int, list[tuple[int, _Held]]] = {}  # by priority; no list is empty
        self._priorities: list[int] = []
        self._delayed: list[tuple[float, int, _Held]] = []
        self._dead: dict[str, tuple[_Held, DeadJob]] = {}
        self._numbers = self._count = self._bytes = self._duplicates = 0
        self._puller: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def refusal(self) -> JobsError | None:
        """Away after the end, Full at the limit."""
        if self._closed:
            return Away(f"the pipeline {self._name} is closed")
        if 0 < self._max_bytes <= self._bytes:
            return Full(f"the pipeline {self._name} holds its {self._max_bytes} bytes (max_bytes)")
        return None

    def state(self) -> QueueState:
        """Return the figures."""
        return QueueState(
            waiting=self._count,
            delayed=len(self._delayed),
            running=len(self._jobs) - self._count - len(self._delayed) - len(self._dead),
            dead=len(self._dead),
            oldest=min((self._waiting[each][0][1].since for each in self._priorities[:_PRIORITIES]), default=0.0),
            bytes=self._bytes,
            duplicates=self._duplicates,
        )

    async def open(self) -> None:
        """Do nothing: memory is there."""

    async def aclose(self) -> None:
        """Forget everything."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for kept in (self._jobs, self._waiting, self._priorities, self._delayed, self._dead):
            kept.clear()

    def push(self, jobs: Sequence[Job], done: Done) -> None:
        """Take all jobs, or none."""
        error = self.refusal
        if error is None and self._max_bytes:
            size = sum(job.size for job in jobs)
            if self._bytes + size > self._max_bytes:
                error = Full(f"the pipeline {self._name} has no room for {size} bytes more (max_bytes)")
        if error is None:
            for job in jobs:
                self._add(job)
        done(error)

    def _add(self, job: Job) -> None:
        if job.id in self._jobs:
            self._duplicates += 1
            return
        self._jobs[job.id] = held = _Held(self, job)
        self._bytes += job.size
        self.put(held, job.due - time.time() if job.due else 0)

    async def pull(self, jobs: int, size: int) -> Sequence[_Held]:
        """Wait for a due job, and take those that fit."""
        while not self._waiting:
            self._puller = asyncio.get_running_loop().create_future()
            try:
                await self._puller
            finally:
                self._puller = None
        taken: list[_Held] = []
        while self._waiting and len(taken) < jobs:
            priority = self._priorities[0]
            heap = self._waiting[priority]
            size -= heap[0][1].job.size
            if taken and size < 0:
                break
            taken.append(heapq.heappop(heap)[1])
            if not heap:
                del self._waiting[heapq.heappop(self._priorities)]
        self._count -= len(taken)
        return taken

    async def list_dead(self, limit: int, after: str = "") -> Sequence[DeadJob]:
        """Return dead jobs in the order of their ids."""
        ids = heapq.nsmallest(limit, (each for each in self._dead if each > after))
        return first_page(self._dead[each][1] for each in ids)

    async def revive(self, ids: Sequence[str] | None = None) -> int:
        """Put dead jobs into the queue again."""
        found = self._take_dead(ids)
        for held in found:
            held.attempt = 1
            self.put(held, 0)
        return len(found)

    async def purge(self, ids: Sequence[str] | None = None) -> int:
        """Delete dead jobs."""
        found = self._take_dead(ids)
        for held in found:
            self.delete(held)
        return len(found)

    def _take_dead(self, ids: Sequence[str] | None) -> list[_Held]:
        wanted = list(self._dead) if ids is None else dict.fromkeys(ids)
        return [self._dead.pop(each)[0] for each in wanted if each in self._dead]

    # Called by deliveries too; without effect after the end.

    def delete(self, held: _Held) -> None:
        """Forget a job that is in no other place."""
        if self._jobs.pop(held.job.id, None) is not None:
            self._bytes -= held.job.size

    def change(self, held: _Held, job: Job) -> None:
        """Give a job that is held other headers. Count its bytes, which `delete` takes off again."""
        if not self._closed:
            self._bytes += job.size - held.job.size
        held.job = job

    def bury(self, held: _Held, reason: str) -> None:
        """Keep a job among the dead."""
        if not self._closed:
            job = held.job
            self._dead[job.id] = (
                held,
                DeadJob(job.id, job.name, reason, held.attempt, time.time(), job.size, job.priority, job.headers),
            )

    def put(self, held: _Held, delay: float) -> None:
        """Put a job at the end of its priority, due after `delay` seconds."""
        self._numbers += 1
        held.number = self._numbers
        held.since = time.time()
        if delay <= 0:
            self.put_back(held)
        elif not self._closed:
            loop = asyncio.get_running_loop()
            heapq.heappush(self._delayed, (loop.time() + delay, held.number, held))
            if self._delayed[0][2] is held:
                self._set_timer(loop)

    def put_back(self, held: _Held) -> None:
        """Let a job wait at its place."""
        if self._closed:
            return
        self._count += 1
        priority = held.job.priority
        if priority not in self._waiting:
            self._waiting[priority] = []
            heapq.heappush(self._priorities, priority)
        heapq.heappush(self._waiting[priority], (held.number, held))
        if self._puller is not None and not self._puller.done():
            self._puller.set_result(None)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._delayed[0][0], self._due) if self._delayed else None

    def _due(self) -> None:
        loop = asyncio.get_running_loop()
        while self._delayed and self._delayed[0][0] <= loop.time():
            self.put_back(heapq.heappop(self._delayed)[2])
        self._set_timer(loop)


class MemoryDriver:
    """Makes queues in memory. See `jobs/protocols.py`."""

    job_driver: ClassVar[str] = "memory"
    pipeline_model: ClassVar[type[Struct]] = MemoryPipeline
    ignored_keys: ClassVar[Mapping[str, str]] = {}

    def queue(self, settings: PipelineSettings) -> MemoryQueue:
        """Return an empty queue."""
        return MemoryQueue(settings)
