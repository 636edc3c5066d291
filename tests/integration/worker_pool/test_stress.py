"""Everything at once, with workers killed at random: each request is answered rightly or fails with an error.

That no process and no descriptor is left is asserted after every test (conftest.py).
"""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress

import anyio
import psutil
import pytest
from support.log import Log
from support.waiting import until
from support.worker_pool.pools import RELAYS, beast, listening, pool, sdk

from rrpy.worker_pool import Payload, PoolError, WorkerBroken
from rrpy.worker_pool.config import AllocatorConfig, SupervisorConfig

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("untraced")]

CALLERS = 16
REQUESTS = 150


@pytest.fixture(params=RELAYS)
async def relay(request, tmp_path):
    async with listening(request.param, tmp_path) as relay:
        yield relay


async def test_no_request_is_lost_while_workers_are_killed_reset_added_and_removed(relay):
    dice = random.Random(20261124)
    answered = failed = 0
    log = Log()

    async def caller(name: int) -> None:
        nonlocal answered, failed
        for number in range(REQUESTS):
            payload = Payload(b"%d/%d" % (name, number), dice.randbytes(dice.choice([0, 10, 1000, 200_000])))
            try:
                assert await workers.exec(payload) == payload
                answered += 1
            except WorkerBroken as error:
                assert error.report.status.startswith(("signal", "status")), error
                failed += 1

    async def trouble() -> None:
        while True:
            await anyio.sleep(dice.uniform(0, 0.05))
            rows = workers.workers()
            what = dice.choice(["kill", "kill", "kill", "reset", "add", "remove"])
            with suppress(PoolError, ProcessLookupError):
                if what == "kill" and rows:
                    os.kill(dice.choice(rows).pid, dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV]))
                elif what == "reset":
                    await workers.reset()
                elif what == "add" and len(rows) < 6:
                    await workers.add_worker()
                elif what == "remove":
                    await workers.remove_worker()

    limits = SupervisorConfig(watch_tick=0.05, ttl=0.6, exec_ttl=30)
    more = AllocatorConfig(max_workers=2, spawn_rate=1, idle_timeout=0.2)
    config = {"num_workers": 3, "max_jobs": 40, "supervisor": limits, "dynamic_allocator": more}
    async with pool(sdk("echo"), log, relay=relay, **config) as workers, anyio.create_task_group() as group:
        group.start_soon(trouble)
        async with anyio.create_task_group() as callers:
            for name in range(CALLERS):
                callers.start_soon(caller, name)
        group.cancel_scope.cancel()
    assert answered + failed == CALLERS * REQUESTS
    assert answered > failed
    assert workers.info().served >= answered


async def test_workers_that_come_and_go_leave_no_descriptor(relay):
    process = psutil.Process()
    async with pool(beast("pids"), num_workers=2, relay=relay) as workers:
        await workers.reset()
        await until(lambda: len(process.children()) == 2)
        before = process.num_fds()
        for _ in range(5):
            await workers.reset()
            os.kill(workers.workers()[0].pid, signal.SIGKILL)
            await until(lambda: [row.status_str for row in workers.workers()] == ["ready"] * 2)
        await until(lambda: len(process.children()) == 2 and process.num_fds() == before)
