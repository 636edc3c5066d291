"""More and fewer workers: by hand, by the dynamic allocator, and one for each request in the mode debug."""

from __future__ import annotations

import asyncio
import os

import anyio
import pytest
from support.log import Log
from support.waiting import until
from support.worker_pool.pools import beast, pool, sdk

from rrpy.worker_pool import LastWorker, NoFreeWorker, Payload, PoolClosed, PoolError, TooManyWorkers, WorkerBootError
from rrpy.worker_pool.config import AllocatorConfig

pytestmark = pytest.mark.anyio


async def test_a_worker_is_added_and_the_pool_keeps_as_many_from_then_on():
    log = Log()
    async with pool(beast("pids"), log, num_workers=1) as workers:
        await workers.add_worker()
        assert len(workers.workers()) == workers.info().workers == 2
        os.kill(workers.workers()[1].pid, 9)
        await log.seen("worker is up", 3)
        assert len(workers.workers()) == 2


async def test_a_worker_is_removed_an_idle_one_first_and_no_request_fails(tmp_path):
    gate = tmp_path / "gate"
    log = Log()
    async with pool(beast("pids"), log, num_workers=2) as workers:
        asking = asyncio.create_task(workers.exec(Payload(os.fsencode(gate))))
        await until(lambda: workers.info().running == 1)
        (busy,) = [row.pid for row in workers.workers() if row.status_str == "working"]
        await workers.remove_worker()
        await until(lambda: [row.pid for row in workers.workers()] == [busy])
        gate.touch()
        assert (await asking).body == b"%d" % busy
        os.kill(busy, 9)
        await log.seen("worker is up", 3)
        assert len(workers.workers()) == 1


async def test_a_busy_worker_that_is_removed_finishes_its_request(tmp_path):
    gate = tmp_path / "gate"
    async with pool(beast("pids"), num_workers=2) as workers:
        asking = [asyncio.create_task(workers.exec(Payload(os.fsencode(gate)))) for _ in range(2)]
        await until(lambda: workers.info().running == 2)
        await workers.remove_worker()
        gate.touch()
        assert len({(await each).body for each in asking}) == 2
        await until(lambda: len(workers.workers()) == 1)


async def test_the_last_worker_stays_and_there_is_an_end_to_adding(monkeypatch):
    async with pool(beast("pids"), num_workers=1) as workers:
        with pytest.raises(LastWorker, match="the last worker cannot be removed"):
            await workers.remove_worker()
        monkeypatch.setattr("rrpy.worker_pool.places.MAX_WORKERS", 1)
        with pytest.raises(TooManyWorkers, match="no worker can be added: a pool has at most 1"):
            await workers.add_worker()
        assert len(workers.workers()) == 1
    for change in (workers.add_worker, workers.remove_worker, workers.reset):
        with pytest.raises(PoolClosed):
            await change()


async def test_a_worker_that_does_not_come_up_is_not_added(tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    async with pool(beast("boots_once"), env={"ZOO_FLAG": str(flag)}, num_workers=1) as workers:
        flag.unlink()
        with pytest.raises(WorkerBootError, match="the flag is gone"):
            await workers.add_worker()
        with pytest.raises(LastWorker):
            await workers.remove_worker()


async def test_a_pool_that_is_left_while_a_worker_is_added_leaves_no_process(tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    async with pool(beast("shakes_once"), env={"ZOO_FLAG": str(flag)}, num_workers=1) as workers:
        flag.unlink()
        adding = asyncio.create_task(workers.add_worker())
        resetting = asyncio.create_task(workers.reset())
        await asyncio.sleep(0.01)
    for change in (adding, resetting):
        with pytest.raises(PoolClosed):
            await change


async def test_a_change_goes_on_when_its_caller_has_left():
    log = Log()
    async with pool(beast("pids"), log, num_workers=1) as workers:
        with anyio.move_on_after(0.001):
            await workers.add_worker()
        await log.seen("worker is up", 2)
        await until(lambda: len(workers.workers()) == 2)


async def test_the_figures_tell_what_waits_what_runs_and_what_was_served(tmp_path):
    gate = tmp_path / "gate"
    async with pool(beast("pids"), num_workers=1, allocate_timeout=20) as workers:
        await workers.exec(Payload())
        asking = [asyncio.create_task(workers.exec(Payload(os.fsencode(gate)))) for _ in range(3)]
        await until(lambda: workers.info().running == 1)
        info = workers.info()
        assert (info.workers, info.waiting, info.running, info.served, info.no_free_workers) == (1, 2, 1, 1, 0)
        gate.touch()
        await asyncio.wait(asking)
        os.kill(workers.workers()[0].pid, 9)
        await until(lambda: workers.info().workers == 1 and workers.workers()[0].num_execs == 0)
        assert (workers.info().served, workers.info().waiting) == (4, 0)


def allocating(**given) -> AllocatorConfig:
    return AllocatorConfig(**{"max_workers": 3, "spawn_rate": 2, "idle_timeout": 0.4, **given})


async def test_workers_are_added_when_requests_wait_and_go_when_nobody_needs_them(tmp_path):
    gate = tmp_path / "gate"
    log = Log()
    async with pool(beast("pids"), log, num_workers=1, dynamic_allocator=allocating()) as workers:
        asking = [asyncio.create_task(workers.exec(Payload(os.fsencode(gate)))) for _ in range(10)]
        await until(lambda: workers.info().running == 4)
        logged = log.keys("requests wait, workers are added")
        assert [keys["workers"] for keys in logged] == [2, 1]
        assert len(workers.workers()) == 4
        gate.touch()
        await asyncio.wait(asking)
        assert len({task.result().body for task in asking}) == 4
        await until(lambda: len(workers.workers()) == 1)
        await asyncio.sleep(0.3)
        assert len(workers.workers()) == 1
        assert await workers.exec(Payload())
    assert not log.keys("worker died")


async def test_the_allocator_reacts_long_before_allocate_timeout(tmp_path):
    gate = tmp_path / "gate"
    async with pool(beast("pids"), num_workers=1, dynamic_allocator=allocating()) as workers:
        first = asyncio.create_task(workers.exec(Payload(os.fsencode(gate))))
        await until(lambda: workers.info().running == 1)
        async with asyncio.timeout(20):  # allocate_timeout is 60
            assert await workers.exec(Payload())
        gate.touch()
        await first


async def test_a_short_wait_adds_nobody(monkeypatch):
    monkeypatch.setattr("rrpy.worker_pool.allocator.REACTION", 0.5)
    log = Log()
    async with pool(sdk("echo"), log, num_workers=1, dynamic_allocator=allocating()) as workers:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(workers.exec, Payload(b"x"))
        await asyncio.sleep(0.7)
    assert len(log.keys("worker is up")) == 1


async def test_an_added_worker_that_does_not_come_up_costs_nothing_but_a_warning(tmp_path):
    flag, gate = tmp_path / "flag", tmp_path / "gate"
    flag.touch()
    log = Log()
    command = ["/bin/sh", "-c", f'test -e {flag} || exit 9; rm {flag}; exec "$@"', "sh", *beast("pids")]
    async with pool(command, log, num_workers=1, dynamic_allocator=allocating()) as workers:
        asking = [asyncio.create_task(workers.exec(Payload(os.fsencode(gate)))) for _ in range(2)]
        (keys, *_) = await log.seen("worker did not come up")
        assert "status 9" in keys["error"]
        gate.touch()
        await asyncio.wait(asking)
        assert all(task.exception() is None for task in asking)
        with pytest.raises(LastWorker):
            await workers.remove_worker()


async def test_in_the_mode_debug_every_request_has_a_worker_of_its_own_started_after_it_came():
    log = Log()
    async with pool(beast("pids"), log, num_workers=2, debug=True) as workers:
        assert workers.workers() == []
        pids = set()

        async def call():
            pids.add((await workers.exec(Payload())).body)

        for _ in range(2):
            await call()
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(call)
        assert len(pids) == 7
        await until(lambda: workers.workers() == [])
        for change in (workers.add_worker, workers.remove_worker):
            with pytest.raises(PoolError):
                await change()
        await workers.reset()
    assert not log.keys("worker died")


async def test_in_the_mode_debug_at_most_num_workers_run_at_once(tmp_path):
    gate = tmp_path / "gate"
    async with pool(beast("pids"), num_workers=2, debug=True) as workers:
        asking = [asyncio.create_task(workers.exec(Payload(os.fsencode(gate)))) for _ in range(4)]
        await until(lambda: workers.info().running == 2)
        assert workers.info().waiting == 2
        gate.touch()
        assert len({(await each).body for each in asking}) == 4


async def test_in_the_mode_debug_a_worker_that_does_not_come_up_is_told_to_its_caller():
    async with pool(beast("dies_at_boot"), debug=True) as workers:
        for _ in range(2):
            with pytest.raises(WorkerBootError, match="status 3; its last lines on stderr: no database here"):
                await workers.exec(Payload())


async def test_in_the_mode_debug_a_worker_whose_caller_has_left_is_not_kept_for_the_next():
    log = Log()
    async with pool(beast("pids"), log, num_workers=1, debug=True) as workers:
        asking = asyncio.create_task(workers.exec(Payload()))
        await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait([asking])
        (first,) = await log.seen("worker is up")
        assert (await workers.exec(Payload())).body != b"%d" % first["pid"]


async def test_a_reset_wakes_a_place_that_pauses_after_a_crash_loop(tmp_path, monkeypatch):
    monkeypatch.setattr("rrpy.worker_pool.backoff.FIRST_PAUSE", 60)
    monkeypatch.setattr("rrpy.worker_pool.backoff.MAX_PAUSE", 60)
    flag = tmp_path / "flag"
    flag.touch()
    log = Log()
    async with pool(beast("boots_once"), log, {"ZOO_FLAG": str(flag)}, num_workers=1) as workers:
        with pytest.raises(PoolError):
            await workers.exec(Payload(b"die"))
        await log.seen("workers keep dying, next start after a pause")
        flag.touch()
        with pytest.raises(NoFreeWorker, match="no worker is alive"):
            await workers.reset()
        await log.seen("worker is up", 2)  # waits for less than the pause
        assert await workers.exec(Payload(b"x")) == Payload(b"x")


async def test_a_reset_of_a_pool_whose_workers_come_and_go_does_not_fail():
    async def traffic():
        while True:
            await workers.exec(Payload())

    async with pool(beast("pids"), num_workers=2, max_jobs=1) as workers, anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(traffic)
        for _ in range(4):
            await workers.reset()
        group.cancel_scope.cancel()


async def test_what_a_leaving_worker_still_does_is_in_the_figures(tmp_path):
    gate = tmp_path / "gate"
    async with pool(beast("pids"), num_workers=1) as workers:
        asking = asyncio.create_task(workers.exec(Payload(os.fsencode(gate))))
        await until(lambda: workers.info().running == 1)
        await workers.reset()
        await until(lambda: len(workers.workers()) == 2)
        assert workers.info().running == 1
        assert [row.status_str for row in workers.workers()] == ["ready", "working"]
        gate.touch()
        await asking
        await until(lambda: len(workers.workers()) == 1)


async def test_the_allocator_pauses_longer_and_longer_while_nothing_that_it_starts_comes_up(tmp_path, monkeypatch):
    monkeypatch.setattr("rrpy.worker_pool.backoff.FIRST_PAUSE", 60)
    monkeypatch.setattr("rrpy.worker_pool.backoff.MAX_PAUSE", 60)
    flag, gate = tmp_path / "flag", tmp_path / "gate"
    flag.touch()
    log = Log()
    command = ["/bin/sh", "-c", f'test -e {flag} || exit 9; rm {flag}; exec "$@"', "sh", *beast("pids")]
    async with pool(command, log, num_workers=1, dynamic_allocator=allocating()) as workers:
        asking = [asyncio.create_task(workers.exec(Payload(os.fsencode(gate)))) for _ in range(4)]
        await log.seen("worker did not come up", 2)
        await asyncio.sleep(0.5)
        assert len(log.keys("worker did not come up")) == 2
        gate.touch()
        await asyncio.wait(asking)


@pytest.mark.parametrize("debug", [True, False])
async def test_a_request_that_comes_back_unread_again_and_again_has_no_more_time_than_any(debug):
    async with pool(beast("always_leaves"), num_workers=1, debug=debug, allocate_timeout=1) as workers:
        with pytest.raises(NoFreeWorker):
            await workers.exec(Payload())
