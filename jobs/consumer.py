"""The jobs of one pipeline on their way to the workers: pulled with credit, answered once.

What we want: a job costs no task and no timer. One task pulls in batches; the pool calls `make` when a worker takes a
job, and `take` with its answer. At most `prefetch` jobs are held, of about `HELD_BYTES`. What can fail: no worker takes
a job; then it is given back, and the pulling pauses for a moment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec

from ..container.masking import mask_text
from ..container.protocols import Logger
from ..worker_pool import NoFreeWorker, Payload, Pool, PoolClosed, PoolError, QueueFull, WorkerBroken
from .answers import ATTEMPT, Answer, Meaning, one_line, read_answer
from .config import RetryConfig
from .counts import Counts
from .job import Job
from .protocols import Delivery, Queue

Format = Callable[[Job], bytes]
"""Makes the body of a worker's request out of a job. Raises ValueError for a job that it cannot read."""

OFF_LOOP: Final = 256 * 1024
"""Bytes of a job above which its request is made in a thread."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes of the jobs that one pull takes at most; a larger job is alone."""
HELD_BYTES: Final = 256 * 1024 * 1024
"""Bytes of the jobs that are held, with the requests made of large ones; one job more may exceed it."""
_PAUSE: Final = 0.5
"""Seconds without a pull after the pool had no worker."""

_encode = msgspec.json.Encoder().encode


class Consumer:
    """Gives the jobs of a queue to a pool.

    `driver`, `name`: of the pipeline, for the workers. `formats`: by the name of the job. `prefetch`: jobs that are
    held at once.
    """

    def __init__(
        self,
        name: str,
        driver: str,
        queue: Queue,
        retry: RetryConfig,
        prefetch: int,
        formats: Mapping[str, Format],
        counts: Counts,
        log: Logger,
    ) -> None:
        self._context = {"driver": driver, "pipeline": name, **({"queue": queue.place} if queue.place else {})}
        self._name = name
        self._queue = queue
        self._retry = retry
        self._prefetch = prefetch
        self._formats = formats
        self._counts = counts
        self._log = log
        self._held = self._bytes = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._room = asyncio.Event()
        self._running = asyncio.Event()
        self._resting = 0.0
        self._pulling: anyio.CancelScope | None = None

    @property
    def paused(self) -> bool:
        """Whether no jobs are pulled."""
        return not self._running.is_set()

    async def run(self, pool: Pool) -> None:
        """Give jobs to the workers of a pool until cancelled, or until `stop`."""
        while True:
            await self._rest()
            await self._running.wait()
            if self._stopping:
                return
            self._room.clear()
            if self._held >= self._prefetch or self._bytes >= HELD_BYTES:
                await self._room.wait()
                continue
            size = min(MAX_BYTES, HELD_BYTES - self._bytes)
            with anyio.CancelScope() as self._pulling:
                for delivery in await self._queue.pull(self._prefetch - self._held, size):
                    self._give(pool, delivery)

    def stop(self) -> None:
        """Begin the end: `run` pulls no more, and the queue gets back what the pool then hands back."""
        self._stopping = True
        self._running.set()

    async def idle(self) -> None:
        """Return when no job is held any more, after `stop`."""
        while self._held:
            self._room.clear()
            await self._room.wait()

    async def finish(self) -> None:
        """Return after the large jobs that were on their way to the pool are given back."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def pause(self) -> None:
        """Pull no more jobs. Those that are held go on."""
        self._running.clear()
        if self._pulling is not None:
            self._pulling.cancel()

    def resume(self) -> None:
        """Pull jobs."""
        self._running.set()

    async def _rest(self) -> None:
        if self._resting:
            pause, self._resting = self._resting, 0.0
            await asyncio.sleep(pause)

    def _give(self, pool: Pool, delivery: Delivery) -> None:
        """Let a worker take a job."""
        job = delivery.job
        large = len(job.payload) > OFF_LOOP and job.name in self._formats
        run = _Run(self, delivery, (1 + large) * len(job.payload))
        self._held += 1
        self._bytes += run.size
        if large:
            task = asyncio.get_running_loop().create_task(self._give_large(pool, run))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        self._submit(pool, run)

    async def _give_large(self, pool: Pool, run: _Run) -> None:
        """Make the body of a large job in a thread, then let a worker take it."""
        try:
            run.body = await anyio.to_thread.run_sync(self._formats[run.job.name], run.job)
        except ValueError as error:
            run.take(error)
        except BaseException:
            run.take(PoolClosed())
            raise
        else:
            self._submit(pool, run)

    def _submit(self, pool: Pool, run: _Run) -> None:
        try:
            pool.submit(run.make, run.take)
        except PoolError as error:
            run.take(error)

    # Called by runs.

    def payload(self, run: _Run) -> Payload:
        """Return the request of a job. Raises ValueError."""
        job = run.job
        body = run.body
        if body is None:
            form = self._formats.get(job.name)
            body = form(job) if form is not None else job.payload
        headers = {**job.headers, ATTEMPT: [str(run.delivery.attempt)]}
        return Payload(_encode({"id": job.id, "job": job.name, **self._context, "headers": headers}), body)

    def take(self, run: _Run, answer: Payload | Exception) -> None:
        """Settle a job by its worker's answer, or by the error in its place."""
        self._held -= 1
        self._bytes -= run.size
        self._room.set()
        delivery, counts = run.delivery, self._counts
        if not run.begun and isinstance(answer, (NoFreeWorker, QueueFull, PoolClosed)):
            self._resting = _PAUSE
            delivery.give_back()
            return
        counts.attempts.add(time.perf_counter() - run.began if run.began else 0.0)
        if run.job.auto_ack and run.begun:
            counts.ok += 1
        elif isinstance(answer, Payload):
            self._settle(delivery, read_answer(answer.context, answer.body))
        elif self._stopping and isinstance(answer, (WorkerBroken, PoolClosed)):
            delivery.give_back()  # the host killed the worker: that is not the job's fault
        else:
            self._settle(delivery, Answer(_meaning_of(answer), one_line(mask_text(str(answer)))))

    def _settle(self, delivery: Delivery, answer: Answer) -> None:
        counts, job, meaning = self._counts, delivery.job, answer.meaning
        if meaning is Meaning.DONE:
            counts.ok += 1
            delivery.ack()
            return
        if meaning is Meaning.AGAIN:
            counts.requeued += 1
            delivery.retry(answer.delay or 0.0, answer.headers)
            return
        counts.failed += 1
        keys: dict[str, Any] = {"pipeline": self._name, "job": job.name, "id": job.id, "attempt": delivery.attempt}
        if meaning is Meaning.FAILED and delivery.attempt < self._retry.attempts:
            delay = self._retry.pause_after(delivery.attempt) if answer.delay is None else answer.delay
            self._log.warning("job failed, tried again", **keys, delay=delay, reason=answer.reason)
            delivery.retry(delay, answer.headers)
        elif self._retry.dead:
            self._log.error("job is dead", **keys, reason=answer.reason)
            delivery.dead(answer.reason)
        else:
            self._log.error("job failed and is dropped", **keys, reason=answer.reason)
            delivery.ack()


class _Run:
    """A job that is given to the pool. `size`: the bytes that it counts for. `begun`: a worker has it."""

    __slots__ = ("_consumer", "began", "begun", "body", "delivery", "job", "size")

    def __init__(self, consumer: Consumer, delivery: Delivery, size: int) -> None:
        self._consumer = consumer
        self.size = size
        self.delivery = delivery
        self.job = delivery.job
        self.body: bytes | None = None
        self.began = 0.0
        self.begun = False

    def make(self) -> Payload:
        """Make the request to the worker."""
        payload = self._consumer.payload(self)
        begun, self.begun = self.begun, True  # a worker that leaves hands its request back
        self.began = time.perf_counter()
        if self.job.auto_ack and not begun:
            self.delivery.ack()
        return payload

    def take(self, answer: Payload | Exception) -> None:
        """Take the worker's answer, or the error in its place."""
        self._consumer.take(self, answer)


def _meaning_of(error: Exception) -> Meaning:
    """Return what an error means: a job that cannot be made a request of is dead, the others are tried again."""
    return Meaning.DEAD if isinstance(error, ValueError) else Meaning.FAILED
