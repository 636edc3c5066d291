"""The driver nats of jobs beside nats-py's own calls: microseconds of this process's CPU for each job.

    python benchmarks/nats_driver.py [--rounds 5] [--jobs 10000] [--bytes 1024]

Push: the driver's `push` and nats-py's `js.publish`, 100 at a time, each with `Nats-Msg-Id`. Work off: the driver's
`pull` and `ack`, of 100 and of 8 jobs, and nats-py's `fetch` of 100 with `ack`. The driver knows of each ack that the
server has it; nats-py's `ack` does not ask. A server on loopback; the rounds are interleaved, the median counts.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nats
import uvloop
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.jobs.nats_driver import host
from support.jobs.nats_server import nats_server

from rrpy.jobs.protocols import Job

AT_ONCE = 100
Step = Callable[[], Awaitable[None]]


class Driver:
    """The driver, with a queue of its own."""

    def __init__(self, queue: Any, jobs: int, size: int) -> None:
        self._queue = queue
        self._jobs = jobs
        self._body = bytes(size)
        self._round = 0

    async def push(self) -> None:
        self._round += 1
        left, window = self._jobs, asyncio.Semaphore(AT_ONCE)
        all_done = asyncio.Event()

        def done(error: Exception | None) -> None:
            nonlocal left
            assert error is None, error
            window.release()
            left -= 1
            if not left:
                all_done.set()

        for number in range(self._jobs):
            await window.acquire()
            self._queue.push((Job(f"{self._round}-{number}", "smtp.email", "smtp", self._body),), done)
        await all_done.wait()

    async def work_off(self, at_once: int) -> None:
        left = self._jobs
        while left:
            for delivery in await self._queue.pull(min(at_once, left), 1 << 30):
                delivery.ack()
                left -= 1
        await self._queue._settlements.flush(30)


class Plain:
    """nats-py's own calls."""

    def __init__(self, client: Any, jobs: int, size: int) -> None:
        self._js = client.jetstream()
        self._jobs = jobs
        self._body = bytes(size)
        self._round = 0

    async def open(self) -> None:
        await self._js.add_stream(StreamConfig(name="plain", subjects=["plain"], retention=RetentionPolicy.WORK_QUEUE))
        config = ConsumerConfig(durable_name="plain", ack_policy=AckPolicy.EXPLICIT, max_ack_pending=-1)
        await self._js.add_consumer("plain", config)
        self._pull = await self._js.pull_subscribe_bind("plain", stream="plain")

    async def push(self) -> None:
        self._round += 1
        names = iter(range(self._jobs))

        async def one() -> None:
            for number in names:
                headers = {"Nats-Msg-Id": f"{self._round}-{number}", "rr_id": f"{self._round}-{number}"}
                await self._js.publish("plain", self._body, headers=headers)

        await asyncio.gather(*(one() for _ in range(AT_ONCE)))

    async def work_off(self) -> None:
        left = self._jobs
        while left:
            for message in await self._pull.fetch(min(AT_ONCE, left)):
                await message.ack()
                left -= 1


async def measure(jobs: int, rounds: int, size: int, address: str) -> dict[str, tuple[list[float], list[float]]]:
    """Return the microseconds of CPU, and of time, for each job."""
    figures: dict[str, tuple[list[float], list[float]]] = {}

    async def step(name: str, call: Step) -> None:
        cpu, clock = time.process_time(), time.perf_counter()
        await call()
        found = figures.setdefault(name, ([], []))
        found[0].append((time.process_time() - cpu) / jobs * 1e6)
        found[1].append((time.perf_counter() - clock) / jobs * 1e6)

    client = await nats.connect(address)
    plain = Plain(client, jobs, size)
    await plain.open()
    async with host(address, "driver", ack_wait=30) as one:
        driver = Driver(one.queue, jobs, size)
        for _ in range(rounds):
            await step("push: driver", driver.push)
            await step("push: js.publish", plain.push)
            await step("work off: driver, 100 held", lambda: driver.work_off(100))
            await step("work off: fetch(100)", plain.work_off)
            await driver.push()
            await step("work off: driver, 8 held", lambda: driver.work_off(8))
    await client.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=1024)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        nats_server(Path(folder)) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        figures = runner.run(measure(options.jobs, options.rounds, options.bytes, server.address))
    print(f"{'':28}{'us of CPU':>12}{'us of time':>12}")
    for name, (cpu, clock) in figures.items():
        print(f"{name:28}{statistics.median(cpu):12.1f}{statistics.median(clock):12.1f}")


if __name__ == "__main__":
    main()
