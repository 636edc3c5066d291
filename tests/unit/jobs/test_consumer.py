"""Jobs between a queue and a pool. The pool here records what it gets; tests/integration/jobs has real ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from support.jobs.places import Place, job, push
from support.waiting import TIMEOUT, until

from rrpy.container.config.fields import Duration
from rrpy.container.log import logger
from rrpy.jobs.config import RetryConfig
from rrpy.jobs.consumer import OFF_LOOP, Consumer
from rrpy.jobs.counts import Counts
from rrpy.jobs.drivers.memory import MemoryDriver
from rrpy.jobs.protocols import Job, Queue
from rrpy.worker_pool import NoFreeWorker, Payload, PoolClosed, SoftError

pytestmark = pytest.mark.anyio

Done = Callable[[Payload | Exception], None]


class Recorder:
    """Takes requests as a pool does. `busy`: it makes none of them now. `answer`: given at once."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], Payload], Done]] = []
        self.requests: list[tuple[dict, bytes]] = []
        self.answers: list[Done] = []

    def submit(self, make: Callable[[], Payload], done: Done) -> None:
        self.waiting.append((make, done))

    def work(self) -> None:
        """Let workers take all requests that wait."""
        waiting, self.waiting = self.waiting, []
        for make, done in waiting:
            try:
                payload = make()
            except Exception as error:
                done(error)
            else:
                self.requests.append((json.loads(payload.context), payload.body))
                self.answers.append(done)


class Parts:
    def __init__(self, pool: Recorder, queue: Queue, consumer: Consumer, counts: Counts) -> None:
        self.pool, self.queue, self.consumer, self.counts = pool, queue, consumer, counts

    async def work(self, jobs: int = 1) -> None:
        """Wait until so many jobs wait for a worker, and let workers take them."""
        await until(lambda: len(self.pool.waiting) == jobs)
        self.pool.work()


def read(job: Job) -> bytes:
    if job.payload == b"bad":
        raise ValueError("it cannot be read")
    return b"made of " + job.payload[:4]


@asynccontextmanager
async def consuming(prefetch: int = 4, **retry: object) -> AsyncIterator[Parts]:
    async with Place(MemoryDriver, {}, durable=False).queue() as queue:
        pool, counts = Recorder(), Counts()
        config = RetryConfig(**{"attempts": 3, "backoff": [Duration(0)], **retry})
        consumer = Consumer("smtp", "memory", queue, config, prefetch, {"made": read}, counts, logger("jobs"))
        consumer.resume()
        task = asyncio.ensure_future(consumer.run(pool))
        try:
            yield Parts(pool, queue, consumer, counts)
        finally:
            task.cancel()
            await asyncio.wait([task])
            await consumer.finish()


async def test_a_worker_gets_a_job_and_its_answer_ends_it() -> None:
    async with consuming() as parts:
        await push(parts.queue, job("a", headers={"x": ["1"]}))
        await parts.work()
        context = {"id": "a", "job": "smtp.email", "driver": "memory", "pipeline": "smtp"}
        assert parts.pool.requests == [({**context, "headers": {"x": ["1"], "attempt": ["1"]}}, b"mail")]
        assert parts.queue.state().running == 1
        parts.pool.answers[0](Payload())
        assert parts.queue.state().running == 0
        assert parts.counts.ok == 1


async def test_no_more_jobs_are_held_than_prefetch() -> None:
    async with consuming(prefetch=2) as parts:
        await push(parts.queue, *(job(str(each)) for each in range(5)))
        await parts.work(2)
        assert parts.queue.state().waiting == 3
        parts.pool.answers[0](Payload())
        await parts.work(1)
        assert parts.queue.state().waiting == 2


async def test_no_more_bytes_are_held_than_a_bound_and_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of `prefetch` jobs could be as large as a mail: 32 of 25 MB took 1.7 GB."""
    monkeypatch.setattr("rrpy.jobs.consumer.HELD_BYTES", 10_000)
    async with consuming(prefetch=32) as parts:
        await push(parts.queue, *(job(str(each), bytes(4000)) for each in range(6)))
        await parts.work(3)
        for _ in range(5):
            await asyncio.sleep(0)
        assert parts.queue.state().waiting == 3
        parts.pool.answers[0](Payload())
        await parts.work(1)
        assert parts.queue.state().waiting == 2


async def test_a_failed_job_is_tried_again_and_dead_after_its_attempts() -> None:
    async with consuming() as parts:
        await push(parts.queue, job("a"))
        for attempt in range(1, 4):
            await parts.work()
            context, _ = parts.pool.requests[-1]
            assert context["headers"]["attempt"] == [str(attempt)]
            parts.pool.answers[-1](SoftError("the moon\nis full"))
        (dead,) = await parts.queue.list_dead(9)
        assert (dead.id, dead.reason, dead.attempts) == ("a", "the moon is full", 3)
        assert (parts.counts.ok, parts.counts.failed) == (0, 3)


async def test_a_job_goes_for_good_without_dead_letters() -> None:
    async with consuming(attempts=1, dead=False) as parts:
        await push(parts.queue, job("a"))
        await parts.work()
        parts.pool.answers[0](SoftError("no"))
        assert (parts.queue.state().dead, parts.queue.state().bytes) == (0, 0)


async def test_a_worker_puts_a_job_back_as_often_as_it_likes() -> None:
    async with consuming() as parts:
        await push(parts.queue, job("a"))
        for _ in range(9):
            await parts.work()
            parts.pool.answers[-1](Payload(body=b'{"type":4,"data":{"message":"wait","headers":{"n":["1"]}}}'))
        await parts.work()
        assert parts.pool.requests[-1][0]["headers"] == {"n": ["1"], "attempt": ["10"]}
        assert parts.counts.requeued == 9


async def test_a_rejected_job_is_dead_at_once() -> None:
    async with consuming() as parts:
        await push(parts.queue, job("a"))
        await parts.work()
        parts.pool.answers[0](Payload(b'{"code":550,"message":"never"}'))
        assert [each.reason for each in await parts.queue.list_dead(9)] == ["550 never"]


@pytest.mark.parametrize("error", [NoFreeWorker(60), PoolClosed()])
async def test_a_job_that_no_worker_took_is_given_back(error: Exception) -> None:
    async with consuming() as parts:
        await push(parts.queue, job("a"))
        await until(lambda: parts.pool.waiting)
        (_, done) = parts.pool.waiting.pop()
        done(error)
        await parts.work()
        assert parts.pool.requests[0][0]["headers"]["attempt"] == ["1"]


async def test_an_automatic_ack_is_sent_when_a_worker_has_the_job() -> None:
    async with consuming() as parts:
        await push(parts.queue, job("a", auto_ack=True))
        await parts.work()
        assert parts.queue.state().running == 0
        parts.pool.answers[0](SoftError("no"))
        assert parts.counts.ok == 1
        assert parts.queue.state().waiting == 0


@pytest.mark.parametrize("size", [0, OFF_LOOP + 1])
async def test_the_format_of_a_job_makes_its_request(size: int) -> None:
    async with consuming() as parts:
        sent = job("a", b"text" + bytes(size))
        await push(parts.queue, Job("a", "made", "smtp", sent.payload))
        await parts.work()
        assert parts.pool.requests[0][1] == b"made of text"


async def test_a_job_that_its_format_cannot_read_is_dead() -> None:
    async with consuming() as parts:
        await push(parts.queue, Job("a", "made", "smtp", b"bad"))
        await parts.work()
        assert [each.reason for each in await parts.queue.list_dead(9)] == ["it cannot be read"]


async def test_a_paused_pipeline_is_not_pulled() -> None:
    async with consuming() as parts:
        await asyncio.sleep(0)
        parts.consumer.pause()
        await push(parts.queue, job("a"), job("b"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert parts.consumer.paused
        assert parts.pool.waiting == []
        parts.consumer.resume()
        await until(lambda: len(parts.pool.waiting) == 2)


async def test_a_pause_holds_while_the_pulling_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the rest it pulled once more: a destroyed pipeline waited for jobs for ever."""
    monkeypatch.setattr("rrpy.jobs.consumer._PAUSE", 0.01)
    async with consuming() as parts:
        await push(parts.queue, job("a"))
        for _ in range(2):  # the second time it rests
            await until(lambda: parts.pool.waiting)
            parts.pool.waiting.pop()[1](NoFreeWorker(60))
        parts.consumer.pause()
        await asyncio.sleep(0.02)  # a later timer than that of the rest
        await asyncio.sleep(0)
        assert parts.queue.state().waiting == 1
        assert parts.pool.waiting == []


async def test_a_paused_pipeline_ends_at_a_stop() -> None:
    """The task of each destroyed pipeline waited for a resume until the end of the host."""
    async with Place(MemoryDriver, {}, durable=False).queue() as queue:
        consumer = Consumer("smtp", "memory", queue, RetryConfig(), 4, {}, Counts(), logger("jobs"))
        running = asyncio.ensure_future(consumer.run(Recorder()))
        await asyncio.sleep(0)
        consumer.stop()
        await asyncio.wait_for(running, TIMEOUT)
