"""Calls through a worker pool: rrpy's `Pool.exec` beside `ProcessPoolExecutor` and `anyio.to_process`, in one run.

    python benchmarks/pool.py --rounds 3

Every pool runs the same echo in Python worker processes, in turn, round after round: (one) 1 KiB, one worker, one call
at a time; (many) 1 KiB, 4 workers, 64 callers; (large) 1 MiB, 4 workers, 8 callers. `spawn` is the time until a worker
of the SDK has shaken hands, beside the whole life of `python -c pass`. Reported are calls per second, the CPU time of
the host's process per call, and ratios; medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_process
import uvloop
from echo import echo

from rrpy.container.log import logger
from rrpy.worker_pool.config import PoolConfig
from rrpy.worker_pool.life import boot, stop_worker
from rrpy.worker_pool.limits import WorkerLimits
from rrpy.worker_pool.pool import WorkerPool
from rrpy.worker_pool.protocols import Payload
from rrpy.worker_pool.spawn import Launch

SCENARIOS = {"one": (1024, 1, 1, 6000), "many": (1024, 4, 64, 30_000), "large": (1024 * 1024, 4, 8, 600)}
"""Scenario -> bytes of a body, workers, callers, calls."""

COMMAND = [sys.executable, "-m", "rrpy.worker", "echo:handle"]

Call = Callable[[bytes], Awaitable[bytes]]


def launch() -> Launch:
    return Launch(COMMAND, {**os.environ, "PYTHONPATH": str(Path(__file__).parent)})


@asynccontextmanager
async def rrpy_pool(workers: int) -> AsyncIterator[Call]:
    async with WorkerPool(PoolConfig(num_workers=workers), launch(), logger("pool")) as pool:

        async def call(body: bytes) -> bytes:
            return (await pool.exec(Payload(b"", body))).body

        yield call


@asynccontextmanager
async def executor(workers: int) -> AsyncIterator[Call]:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(workers) as pool:

        async def call(body: bytes) -> bytes:
            return await loop.run_in_executor(pool, echo, body)

        yield call


@asynccontextmanager
async def to_process(workers: int) -> AsyncIterator[Call]:
    limiter = anyio.CapacityLimiter(workers)

    async def call(body: bytes) -> bytes:
        return await anyio.to_process.run_sync(echo, body, limiter=limiter)

    yield call


POOLS = {"rrpy": rrpy_pool, "ProcessPoolExecutor": executor, "anyio.to_process": to_process}


async def measure(call: Call, size: int, callers: int, calls: int) -> tuple[float, float]:
    """Return calls per second, and microseconds of this process's CPU time per call."""
    body = os.urandom(size)
    left = calls

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            if len(await call(body)) != size:
                raise SystemExit("a wrong answer")

    began, cpu = time.perf_counter(), time.process_time()
    async with anyio.create_task_group() as group:
        for _ in range(callers):
            group.start_soon(caller)
    return calls / (time.perf_counter() - began), (time.process_time() - cpu) / calls * 1e6


class Nobody:
    """An owner of workers that gives them nothing to do."""

    served = 0

    def free(self, worker: object) -> None: ...

    def retired(self, worker: object) -> None: ...

    def dispatch(self, call: object) -> None: ...


async def spawn_worker() -> float:
    began = time.perf_counter()
    worker = await boot(Nobody(), launch(), logger("pool"), 60, WorkerLimits())
    took = time.perf_counter() - began
    await stop_worker(worker, 1)
    return took


async def spawn_python() -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    await process.wait()
    return time.perf_counter() - began


async def spawning(times: int) -> tuple[float, float]:
    """Return the seconds of a worker's start and of `python -c pass`, medians of `times`, taken in turn."""
    workers, plain = [], []
    for _ in range(times):
        workers.append(await spawn_worker())
        plain.append(await spawn_python())
    return statistics.median(workers), statistics.median(plain)


async def run(rounds: int, share: float, only: list[str]) -> None:
    found: dict[str, dict[str, list[tuple[float, float]]]] = {name: {each: [] for each in only} for name in POOLS}
    for _ in range(rounds):
        for scenario in only:
            size, workers, callers, calls = SCENARIOS[scenario]
            for name, pool in POOLS.items():
                async with pool(workers) as call:
                    await measure(call, size, callers, max(callers, calls // 20))  # warm
                    found[name][scenario].append(await measure(call, size, callers, int(calls * share)))
    starts = await spawning(max(5, int(40 * share)))
    report(found, starts, only, rounds)


def report(
    found: dict[str, dict[str, list[tuple[float, float]]]], starts: tuple[float, float], only: list[str], rounds: int
) -> None:
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    )
    print(f"calls per second / microseconds of host CPU per call, medians of {rounds}\n")
    print("| pool | " + " | ".join(only) + " |\n|" + "---|" * (len(only) + 1))
    medians = {
        name: {each: tuple(map(statistics.median, zip(*rows[each], strict=True))) for each in only}
        for name, rows in found.items()
    }
    for name, row in medians.items():
        print(f"| {name} | " + " | ".join(f"{row[each][0]:,.0f} / {row[each][1]:,.0f}" for each in only) + " |")
    ours = medians["rrpy"]
    for name, row in medians.items():
        if name != "rrpy":
            ratios = (f"{ours[each][0] / row[each][0]:.1f} / {row[each][1] / ours[each][1]:.1f}" for each in only)
            print(f"| rrpy / {name}: calls, {name} / rrpy: CPU | " + " | ".join(ratios) + " |")
    worker, plain = starts
    print(f"\nspawn and handshake {worker * 1e3:.1f} ms, python -c pass {plain * 1e3:.1f} ms: {worker / plain:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    parser.add_argument("--only", default="one,many,large", help="scenarios, comma between them")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(options.rounds, 0.1 if options.quick else 1, options.only.split(",")))


if __name__ == "__main__":
    main()
