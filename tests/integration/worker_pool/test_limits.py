"""The supervisor's limits, with real workers: the soft ones replace, the hard one kills."""

from __future__ import annotations

import asyncio
import os
import shlex

import anyio
import pytest
from support.log import Log
from support.waiting import until
from support.worker_pool.pools import beast, pool, sdk

from rrpy.worker_pool import ExecTimeout, Payload, WorkerBroken
from rrpy.worker_pool.config import SupervisorConfig

pytestmark = pytest.mark.anyio


def limits(**given) -> SupervisorConfig:
    return SupervisorConfig(**{"watch_tick": 0.05, **given})


async def test_exec_ttl_kills_the_worker_and_the_caller_gets_an_error():
    log = Log()
    async with pool(beast("hangs"), log, num_workers=1, supervisor=limits(exec_ttl=0.3)) as workers:
        (before,) = workers.workers()
        with pytest.raises(ExecTimeout, match=r"did not answer within 0\.3 s \(exec_ttl\) and was killed") as caught:
            await workers.exec(Payload())
        assert isinstance(caught.value, WorkerBroken)
        assert caught.value.report.status == "signal 9"
        (death,) = await log.seen("worker died")
        assert death["pid"] == before.pid
        await until(lambda: [row.status_str for row in workers.workers()] == ["ready"])


async def test_exec_ttl_holds_for_a_request_whose_caller_has_left():
    log = Log()
    async with pool(beast("hangs"), log, num_workers=1, supervisor=limits(exec_ttl=0.3)) as workers:
        with anyio.move_on_after(0.05):
            await workers.exec(Payload())
        (death,) = await log.seen("worker died")
        assert "exec_ttl" in death["fault"]


async def test_exec_ttl_is_measured_anew_for_each_request():
    async with pool(sdk("echo"), num_workers=1, supervisor=limits(exec_ttl=2)) as workers:
        (before,) = workers.workers()
        for _ in range(5):
            await workers.exec(Payload(b"x"))
            await asyncio.sleep(0.5)
        assert workers.workers()[0].pid == before.pid


@pytest.mark.parametrize(
    ("given", "reached"),
    [
        ({"ttl": 0.4}, "ttlReached"),
        ({"idle_ttl": 0.2}, "idleTTLReached"),
        ({"max_worker_memory": 80}, "maxMemoryReached"),
    ],
)
async def test_a_worker_that_reaches_a_soft_limit_is_replaced_and_no_request_fails(given, reached):
    log = Log()
    async with pool(beast("leaks"), log, num_workers=1, supervisor=limits(**given)) as workers:
        (before,) = workers.workers()
        assert (await workers.exec(Payload(b"90"))).body == b"%d" % before.pid
        (keys, *_) = await log.seen("worker has reached a limit")
        assert keys == {"pid": before.pid, "limit": reached}
        await log.seen("worker is up", 2)
        await until(lambda: before.pid not in [row.pid for row in workers.workers()])
        assert (await workers.exec(Payload(b"0"))).body != b"%d" % before.pid
    assert not log.keys("worker died")


async def test_the_memory_of_a_worker_counts_behind_a_wrapper_that_waits_for_it():
    """The memory was that of the shell alone, so the limit was never reached."""
    log = Log()
    wrapped = ["sh", "-c", f"{shlex.join(beast('leaks'))}; true"]
    async with pool(wrapped, log, num_workers=1, supervisor=limits(max_worker_memory=80)) as workers:
        (before,) = workers.workers()
        assert 5_000_000 < before.memory_usage < 80_000_000
        assert (await workers.exec(Payload(b"90"))).body != b"%d" % before.pid
        assert (await log.seen("worker has reached a limit"))[0] == {"pid": before.pid, "limit": "maxMemoryReached"}
        await log.seen("worker replaced")
    assert not log.keys("worker died")


async def test_a_busy_worker_finishes_its_request_before_a_soft_limit_makes_it_leave(tmp_path):
    gate = tmp_path / "gate"
    log = Log()
    async with pool(beast("pids"), log, num_workers=1, supervisor=limits(ttl=0.3)) as workers:
        (before,) = workers.workers()
        asking = asyncio.create_task(workers.exec(Payload(os.fsencode(gate))))
        assert (await log.seen("worker has reached a limit"))[0]["pid"] == before.pid
        await asyncio.sleep(0.2)  # a few looks more, which must not count it again
        assert [row.pid for row in workers.workers()] == [before.pid]
        assert len(log.keys("worker has reached a limit")) == 1
        gate.touch()
        assert (await asking).body == b"%d" % before.pid
        await until(lambda: before.pid not in [row.pid for row in workers.workers()])
    assert not log.keys("worker died")


async def test_an_idle_worker_that_never_served_is_left_alone():
    log = Log()
    async with pool(beast("pids"), log, num_workers=1, supervisor=limits(idle_ttl=0.1)) as workers:
        (before,) = workers.workers()
        await asyncio.sleep(0.5)
        assert workers.workers()[0].pid == before.pid
    assert not log.keys("worker has reached a limit")


async def test_while_a_limit_replaces_workers_no_request_waits_for_a_boot_or_fails():
    served = 0
    log = Log()

    async def traffic():
        nonlocal served
        while True:
            await workers.exec(Payload())
            served += 1

    async with (
        pool(beast("pids"), log, num_workers=2, supervisor=limits(ttl=0.5)) as workers,
        anyio.create_task_group() as group,
    ):
        for _ in range(4):
            group.start_soon(traffic)
        await log.seen("worker is up", 8)
        group.cancel_scope.cancel()
    assert served > 8
    assert not log.keys("worker died")


async def test_a_new_worker_that_does_not_come_up_leaves_the_old_one_at_work(tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    log = Log()
    async with pool(
        beast("boots_once"), log, {"ZOO_FLAG": str(flag)}, num_workers=1, supervisor=limits(ttl=0.3)
    ) as workers:
        (before,) = workers.workers()
        flag.unlink()
        (keys, *_) = await log.seen("worker did not come up, the old one stays")
        assert "the flag is gone" in keys["error"]
        assert await workers.exec(Payload(b"x")) == Payload(b"x")
        assert workers.workers()[0].pid == before.pid


async def test_a_worker_that_becomes_busy_while_its_replacement_boots_leaves_its_place_at_once(tmp_path):
    gate = tmp_path / "gate"
    log = Log()
    slow = ["/bin/sh", "-c", 'sleep 0.3; exec "$@"', "sh", *beast("pids")]
    async with pool(slow, log, num_workers=1, supervisor=limits(ttl=0.5)) as workers:
        (old,) = workers.workers()
        await log.seen("worker has reached a limit")
        long = asyncio.create_task(workers.exec(Payload(os.fsencode(gate))))
        await log.seen("worker is up", 2)
        replacement = int((await workers.exec(Payload())).body)
        assert replacement != old.pid
        os.kill(replacement, 9)  # which is noticed, although the old one is at work still
        await log.seen("worker died")
        assert int((await workers.exec(Payload())).body) not in (replacement, old.pid)
        rows = workers.workers()
        assert rows[-1].pid == old.pid
        assert workers.info().running >= 1
        assert len(rows) <= 3
        gate.touch()
        assert int((await long).body) == old.pid
        await until(lambda: old.pid not in [row.pid for row in workers.workers()])


async def test_a_worker_killed_for_its_request_is_no_sign_of_a_crash_loop():
    log = Log()
    async with pool(beast("hangs"), log, num_workers=1, supervisor=limits(exec_ttl=0.1)) as workers:
        for _ in range(4):
            with pytest.raises(ExecTimeout):
                await workers.exec(Payload())
    assert not log.keys("workers keep dying, next start after a pause")
