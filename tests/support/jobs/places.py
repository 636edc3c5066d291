"""Places for the tests of drivers: each makes queues of one pipeline, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from support.waiting import TIMEOUT

from rrpy.container.config.fields import decode_field
from rrpy.container.log import logger
from rrpy.jobs.protocols import Delivery, Job, JobDriver, JobsError, PipelineSettings, Queue

NO_SIZE = 1 << 60
"""A size of a pull that limits nothing."""


class Place:
    """A place of jobs. `make`: a new driver, as a new host has it. `config`: of the pipeline.

    `durable`: jobs are there after the end of a host. `bounded`: `config` has `max_bytes`.
    """

    def __init__(self, make: Callable[[], JobDriver], config: dict[str, Any], *, durable: bool) -> None:
        self._make = make
        self._config = config
        self.durable = durable

    @asynccontextmanager
    async def queue(self, *, timeout: float = 20, attempts: int = 10, **config: Any) -> AsyncIterator[Queue]:
        """Open a queue, and close it."""
        driver = self._make()
        assert isinstance(driver, JobDriver)
        model = msgspec.convert({**self._config, **config}, driver.pipeline_model, strict=False, dec_hook=decode_field)
        queue = driver.queue(PipelineSettings("smtp", model, logger("jobs"), timeout=timeout, attempts=attempts))
        await queue.open()
        try:
            yield queue
        finally:
            await queue.aclose()


def job(name: str, payload: bytes = b"mail", **values: Any) -> Job:
    """Return a job with this id."""
    return Job(name, "smtp.email", "smtp", payload, **values)


async def push(queue: Queue, *jobs: Job) -> None:
    """Push jobs, and wait for the result. Raises the error of the push."""
    result: asyncio.Future[JobsError | None] = asyncio.get_running_loop().create_future()
    queue.push(jobs, result.set_result)
    async with asyncio.timeout(TIMEOUT):
        error = await result
    if error is not None:
        raise error


async def pull(queue: Queue, jobs: int = 1, size: int = NO_SIZE) -> Sequence[Delivery]:
    """Pull jobs."""
    async with asyncio.timeout(TIMEOUT):
        return await queue.pull(jobs, size)


async def pull_all(queue: Queue, jobs: int) -> list[Delivery]:
    """Pull so many jobs, in as many pulls as it takes."""
    found: list[Delivery] = []
    while len(found) < jobs:
        found += await pull(queue, jobs - len(found))
    return found


def ids(deliveries: Sequence[Delivery]) -> list[str]:
    """Return the ids of jobs."""
    return [each.job.id for each in deliveries]


async def is_idle(queue: Queue) -> bool:
    """Return whether a pull finds nothing in the next turns."""
    pulling = asyncio.ensure_future(queue.pull(1, NO_SIZE))
    done, _ = await asyncio.wait([pulling], timeout=0.05)
    if done:
        pulling.result()[0].give_back()
    else:
        pulling.cancel()
        await asyncio.wait([pulling])
    return not done
