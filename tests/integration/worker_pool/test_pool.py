"""The pool with workers that behave."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import anyio
import pytest
from support.log import Log
from support.waiting import until
from support.worker_pool.pools import beast, pool, sdk

from rrpy.worker_pool import NoFreeWorker, Payload, PoolClosed, QueueFull, SoftError, WorkerBroken

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request):
    return ("asyncio", {"use_uvloop": request.param})


async def test_two_hundred_requests_at_once_get_each_its_own_answer():
    answers = {}

    async def call(number):
        payload = Payload(b"%d" % number, b"body of %d" % number)
        answers[number] = (await workers.exec(payload)) == payload

    async with pool(sdk("echo"), num_workers=4) as workers, anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(call, number)
    assert answers == dict.fromkeys(range(200), True)


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_000])
async def test_a_body_of_any_size_goes_there_and_back(size):
    payload = Payload(b"context" if size else b"", os.urandom(size))
    async with pool(sdk("echo"), num_workers=1) as workers:
        assert await workers.exec(payload) == payload


async def test_a_soft_error_reaches_the_caller_and_the_worker_lives_on():
    async with pool(sdk("answers"), num_workers=1) as workers:
        (before,) = workers.workers()
        with pytest.raises(SoftError, match=r"^not this one$"):
            await workers.exec(Payload(b"soft"))
        (after,) = workers.workers()
        assert (after.pid, after.num_execs, after.status_str) == (before.pid, 1, "ready")


async def test_the_workers_tell_what_they_are_doing(tmp_path):
    started, gate = tmp_path / "started", tmp_path / "gate"
    async with pool(sdk("slow")) as workers, anyio.create_task_group() as group:
        group.start_soon(workers.exec, Payload(os.fsencode(started), os.fsencode(gate)))
        await until(started.exists)
        rows = workers.workers()
        assert sorted(row.status_str for row in rows) == ["ready", "working"]
        assert all(row.memory_usage > 1_000_000 and row.cpu_percent > 0 for row in rows)
        assert all("rrpy.worker pool_handlers:slow" in row.command for row in rows)
        assert len({row.pid for row in rows}) == 2
        gate.touch()


async def test_a_cancelled_caller_leaves_the_worker_to_finish_and_its_answer_is_dropped(tmp_path):
    gate = tmp_path / "gate"
    async with pool(beast("slow"), num_workers=1) as workers:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(workers.exec, Payload(b"slow", os.fsencode(gate)))
                await until(lambda: workers.workers()[0].status_str == "working")
                scope.cancel()
        assert workers.workers()[0].status_str == "working"
        pid = workers.workers()[0].pid
        gate.touch()
        assert await workers.exec(Payload(b"mine")) == Payload(b"mine")
        assert (workers.workers()[0].pid, workers.workers()[0].num_execs) == (pid, 2)


async def test_a_caller_cancelled_in_the_queue_is_never_sent_to_a_worker(tmp_path):
    gate = tmp_path / "gate"
    async with pool(beast("slow"), num_workers=1) as workers, anyio.create_task_group() as group:
        group.start_soon(workers.exec, Payload(b"slow", os.fsencode(gate)))
        await until(lambda: workers.workers()[0].status_str == "working")
        waiting = asyncio.ensure_future(workers.exec(Payload(b"never")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.touch()
        await workers.exec(Payload(b"last"))
        assert workers.workers()[0].num_execs == 2


async def test_nobody_waits_longer_than_allocate_timeout_and_the_first_leaves_first(tmp_path):
    gate = tmp_path / "gate"
    failed = []

    async def wait_in_vain(number):
        with pytest.raises(NoFreeWorker, match=r"no worker was free within 3 s \(allocate_timeout\)"):
            await workers.exec(Payload())
        failed.append(number)

    async with pool(beast("slow"), num_workers=1, allocate_timeout=3) as workers, anyio.create_task_group() as group:
        group.start_soon(workers.exec, Payload(b"slow", os.fsencode(gate)))
        await until(lambda: workers.workers()[0].status_str == "working")
        async with anyio.create_task_group() as waiting:
            for number in range(3):
                waiting.start_soon(wait_in_vain, number)
        gate.touch()
    assert failed == [0, 1, 2]


async def test_above_max_queue_size_a_request_fails_at_once(tmp_path):
    gate = tmp_path / "gate"
    async with pool(beast("slow"), num_workers=1, max_queue_size=2) as workers, anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(workers.exec, Payload(b"slow", os.fsencode(gate)))
        await until(lambda: workers.workers()[0].status_str == "working")
        with pytest.raises(QueueFull, match="2 requests"):
            await workers.exec(Payload())
        gate.touch()
    with pytest.raises(PoolClosed):
        await workers.exec(Payload())


async def test_a_worker_is_replaced_after_max_jobs_and_no_request_fails():
    log = Log()
    async with pool(sdk("echo"), log, num_workers=2, max_jobs=5) as workers:
        for number in range(30):
            assert (await workers.exec(Payload(b"%d" % number))).context == b"%d" % number
        await log.seen("worker is up", 2 + 30 // 5 - 1)
        (first, *_) = await log.seen("worker replaced")
    assert not log.keys("worker died")
    up = [keys["pid"] for keys in log.keys("worker is up")]
    assert first["pid"] in up[:2]
    assert first["by"] in up[2:]
    assert first["reason"] == "maxJobsReached"


async def test_a_reset_replaces_every_worker_and_no_request_fails():
    served = 0

    async def traffic():
        nonlocal served
        while True:
            await workers.exec(Payload(b"x"))
            served += 1

    log = Log()
    async with pool(sdk("echo"), log, num_workers=2) as workers, anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(traffic)
        before = {row.pid for row in workers.workers()}
        await workers.reset()
        await until(lambda: len(workers.workers()) == 2 and not before & {row.pid for row in workers.workers()})
        reached = served
        await until(lambda: served > reached)
        assert {(keys["pid"], keys["reason"]) for keys in await log.seen("worker replaced", 2)} == {
            (pid, "reset") for pid in before
        }
        group.cancel_scope.cancel()


async def test_a_reset_whose_new_worker_does_not_come_up_leaves_the_old_ones_at_work(tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    async with pool(beast("boots_once"), env={"ZOO_FLAG": str(flag)}) as workers:
        before = [row.pid for row in workers.workers()]
        flag.unlink()
        with pytest.raises(Exception, match="the flag is gone"):
            await workers.reset()
        assert [row.pid for row in workers.workers()] == before
        assert await workers.exec(Payload(b"x")) == Payload(b"x")


async def test_a_worker_that_dies_during_its_reset_is_replaced_once():
    log = Log()
    async with pool(sdk("echo"), log, num_workers=1) as workers:
        resetting = asyncio.ensure_future(workers.reset())
        await asyncio.sleep(0)
        os.kill(workers.workers()[0].pid, signal.SIGKILL)
        await resetting
        await log.seen("worker died")
        await until(lambda: [row.status_str for row in workers.workers()] == ["ready"])
        assert await workers.exec(Payload(b"x")) == Payload(b"x")


async def test_workers_killed_under_traffic_cost_their_own_requests_only():
    answered = broken = 0
    log = Log()

    async def traffic():
        nonlocal answered, broken
        for number in range(300):
            payload = Payload(b"%d" % number, b"x" * 1000)
            try:
                assert await workers.exec(payload) == payload
                answered += 1
            except WorkerBroken as error:
                assert error.report.status == "signal 9"
                broken += 1

    async with pool(sdk("echo"), log, num_workers=4) as workers:
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(traffic)
            for round_ in range(1, 6):
                await until(lambda: len(workers.workers()) == 4)
                os.kill(workers.workers()[0].pid, signal.SIGKILL)
                await log.seen("worker died", round_)
        assert answered + broken == 8 * 300
        assert broken <= 5
        await until(lambda: [row.status_str for row in workers.workers()] == ["ready"] * 4)
        os.kill(workers.workers()[0].pid, signal.SIGKILL)
        assert (await log.seen("worker died", 6))[-1]["signal"] == 9
        await until(lambda: [row.status_str for row in workers.workers()] == ["ready"] * 4)


async def test_leaving_lets_the_running_requests_finish_and_refuses_the_waiting_ones(tmp_path):
    gate = tmp_path / "gate"
    async with pool(beast("slow"), num_workers=1) as workers:
        running = asyncio.ensure_future(workers.exec(Payload(b"slow", os.fsencode(gate))))
        await until(lambda: workers.workers()[0].status_str == "working")
        waiting = asyncio.ensure_future(workers.exec(Payload()))
        await asyncio.sleep(0)
        waiting.add_done_callback(lambda _: gate.touch())
    assert (await running).context == b"slow"
    with pytest.raises(PoolClosed):
        await waiting


async def test_what_the_body_raises_comes_out_as_it_is():
    with pytest.raises(LookupError, match="mine"):
        async with pool(sdk("echo"), num_workers=1):
            raise LookupError("mine")


async def test_a_pool_can_be_entered_again():
    again = pool(sdk("echo"), num_workers=1)
    for _ in range(2):
        async with again as workers:
            assert await workers.exec(Payload(b"x")) == Payload(b"x")


@pytest.mark.parametrize("handler", ["pool_handlers:echo", "async_handlers:echo"])
async def test_sigterm_to_a_busy_worker_of_the_sdk_costs_no_request(handler):
    log = Log()
    payload = Payload(b"context", bytes(20_000))

    async def traffic():
        while True:
            assert await workers.exec(payload) == payload

    command = [sys.executable, "-m", "rrpy.worker", handler]
    async with pool(command, log, num_workers=2) as workers, anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(traffic)
        for killed in range(1, 7):
            os.kill(workers.workers()[0].pid, signal.SIGTERM)
            await log.seen("worker is up", 2 + killed)
        group.cancel_scope.cancel()
    assert workers.info().served > 6
    assert not log.keys("worker died")


async def test_an_error_of_the_handler_is_one_record_and_no_last_word_of_a_later_request():
    log = Log()
    async with pool(sdk("answers"), log, num_workers=1) as workers:
        with pytest.raises(SoftError, match="ValueError: a bad value"):
            await workers.exec(Payload(b"unexpected"))
        (message, keys), *_ = log.of("error")
        assert message.startswith("the handler failed: ValueError: a bad value in /")
        assert "Traceback" in keys["stacktrace"]
        with pytest.raises(WorkerBroken) as caught:
            await workers.exec(Payload(b"exit"))
        assert str(caught.value).endswith("died with status 7")
    assert [level for level, message, _ in log.lines if message.startswith("the handler failed")] == ["error"]


# Requests without a task.


class Outcomes:
    """The arguments of `done`, in order."""

    def __init__(self) -> None:
        self.all: list[Payload | Exception] = []

    def __call__(self, outcome: Payload | Exception) -> None:
        self.all.append(outcome)


async def test_a_request_without_a_task_is_made_when_a_worker_takes_it_and_its_answer_arrives(tmp_path):
    gate, outcomes, made = tmp_path / "gate", Outcomes(), []

    def make() -> Payload:
        made.append(True)
        return Payload(b"mine", b"body")

    async with pool(beast("slow"), num_workers=1) as workers, anyio.create_task_group() as group:
        group.start_soon(workers.exec, Payload(b"slow", os.fsencode(gate)))
        await until(lambda: workers.workers()[0].status_str == "working")
        workers.submit(make, outcomes)
        await anyio.wait_all_tasks_blocked()
        assert workers.info().waiting == 1
        assert not made
        gate.touch()
        await until(lambda: bool(outcomes.all))
        assert (made, outcomes.all) == ([True], [Payload(b"mine", b"body")])


async def test_a_request_that_cannot_be_made_fails_alone():
    outcomes = Outcomes()

    def make() -> Payload:
        raise ZeroDivisionError("no request")

    async with pool(sdk("echo"), num_workers=1) as workers:
        workers.submit(make, outcomes)
        (error,) = outcomes.all
        assert isinstance(error, ZeroDivisionError)
        assert (await workers.exec(Payload(b"next"))).context == b"next"
        assert workers.workers()[0].num_execs == 1


async def test_a_request_without_a_task_counts_for_the_queue_and_hears_of_its_refusal(tmp_path):
    gate, outcomes = tmp_path / "gate", Outcomes()
    async with pool(beast("slow"), num_workers=1, max_queue_size=2) as workers:
        workers.submit(lambda: Payload(b"slow", os.fsencode(gate)), outcomes)
        workers.submit(lambda: Payload(b"second"), outcomes)
        assert workers.full
        with pytest.raises(QueueFull):
            workers.submit(Payload, outcomes)
        gate.touch()
        await until(lambda: len(outcomes.all) == 2)
        assert not workers.full
    with pytest.raises(PoolClosed):
        workers.submit(Payload, outcomes)


async def test_what_goes_wrong_with_a_request_without_a_task_is_told_as_exec_raises_it(tmp_path):
    outcomes = Outcomes()
    async with pool(sdk("answers"), num_workers=1) as workers:
        workers.submit(lambda: Payload(b"soft"), outcomes)
        await until(lambda: bool(outcomes.all))
    assert (type(outcomes.all[0]), str(outcomes.all[0])) == (SoftError, "not this one")
    gate = tmp_path / "never"
    async with pool(beast("slow"), num_workers=1, destroy_timeout=0.1) as workers:
        workers.submit(lambda: Payload(b"slow", os.fsencode(gate)), outcomes)
        workers.submit(lambda: Payload(b"waits"), outcomes)
        await until(lambda: workers.workers()[0].status_str == "working")
    assert [type(each) for each in outcomes.all[1:]] == [PoolClosed, WorkerBroken]
