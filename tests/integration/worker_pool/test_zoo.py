"""Every misbehaving worker of the zoo against the real pool, on every relay."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import suppress

import anyio
import psutil
import pytest
from support.container.users import as_root
from support.log import Log
from support.waiting import eventually, until
from support.worker_pool.pools import RELAYS, ZOO, beast, listening, pool, running

from rrpy.worker_pool import NoFreeWorker, Payload, PoolClosed, WorkerBootError, WorkerBroken
from rrpy.worker_pool.accounts import find_account
from rrpy.worker_pool.config import PoolConfig
from rrpy.worker_pool.pool import WorkerPool
from rrpy.worker_pool.spawn import Launch
from rrpy.worker_pool.stderr import MAX_LINE

pytestmark = pytest.mark.anyio

BOOT_SINS = {
    "dies_at_boot": r"died at boot with status 3; its last lines on stderr: no database here$",
    "leaves_at_boot": r"died at boot with status 0$",
    "prints_at_boot": r"broke the protocol \(not a goridge frame.*it printed to stdout: 'Hello, I am a script'$",
    "never_shakes": r"did not answer the handshake within 0.5 s \(allocate_timeout\)$",
    "wrong_handshake": r"gave a wrong answer to the handshake \(not a CONTROL frame\); it printed.*'hello yourself'$",
    "handshake_without_pid": r"gave a wrong answer to the handshake \(.*`pid`",
    "speaks_early": r"broke the protocol \(it sent a frame without a request\)",
}

REQUEST_SINS = {
    "wrong_crc": r"broke the protocol \(goridge header CRC is .* and was killed",
    "prints_in_request": r"broke the protocol .* and was killed; it printed to stdout: 'debug: got a request'$",
    "dies_mid_reply": r"died with status 4$",
    "dies_mid_request": r"died with status 3; its last lines on stderr: out of paper$",
    "kills_itself": r"died with signal 9$",
    "two_options": r"its answer has 2 options, expected 1",
    "offset_past_payload": r"its answer's context ends at byte 7 of 6",
    "control_answer": r"it answered a request with a CONTROL frame",
    "huge_frame": r"goridge frame of 4294967295 bytes is over the limit",
    "closes_its_channel": r"closed its (stdout|connection) and did not exit and was killed",
    "leaves_a_child": r"died with status 5$",
    "breaks_twice": r"its answer has 2 options, expected 1",
}

NOT_DIALLED = {"never_shakes", "wrong_handshake", "handshake_without_pid"}
"""Who is never known to have dialled in: the pid of the handshake says whose a connection is."""


@pytest.fixture(params=RELAYS)
async def relay(request, tmp_path):
    async with listening(request.param, tmp_path) as relay:
        yield relay


@pytest.mark.parametrize(("sin", "text"), BOOT_SINS.items())
async def test_a_worker_that_does_not_come_up_fails_the_start_with_its_own_words(sin, text, relay):
    timeout = 0.5 if sin == "never_shakes" else 20
    if relay is not None and sin == "prints_at_boot":  # its stdout is not a channel here, and its stdin is empty
        text = r"died at boot with status 1; .*Hello, I am a script.*EOFError"
    elif relay is not None and sin in NOT_DIALLED:
        timeout, text = 1, r"did not dial in and shake hands within 1 s \(allocate_timeout\)$"
    with pytest.raises(WorkerBootError, match=text) as caught:
        async with pool(beast(sin), allocate_timeout=timeout, relay=relay):
            pytest.fail("the pool came up")
    assert f"{sin}.py" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["no-such-program-here", "x"], "cannot be run: there is no program 'no-such-program-here' in PATH$"),
        (["./no/such"], "cannot be run: there is no program './no/such'$"),
        (["/etc/passwd"], "cannot be run: permission denied$"),
    ],
)
async def test_a_command_that_cannot_be_run_fails_the_start_with_one_sentence(command, text):
    with pytest.raises(WorkerBootError, match=text):
        async with pool(command):
            pytest.fail("the pool came up")


@pytest.mark.parametrize(("sin", "text"), REQUEST_SINS.items())
async def test_a_broken_worker_is_told_to_the_caller_and_replaced(sin, text, relay):
    log = Log()
    async with pool(beast(sin), log, num_workers=1, relay=relay) as workers:
        (first,) = workers.workers()
        with pytest.raises(WorkerBroken, match=text) as caught:
            await workers.exec(Payload(b"context", b"body"))
        assert caught.value.report.pid == first.pid
        await until(lambda: [one.pid for one in workers.workers()] not in ([], [first.pid]))
        (death,) = await log.seen("worker died")
        status = caught.value.report.returncode
        assert death == {"pid": first.pid, **({"status": status} if status >= 0 else {"signal": -status})} | {
            key: death[key] for key in ("fault", "printed") if death.get(key)
        }
        assert not psutil.pid_exists(first.pid)
        (replaced,) = await log.seen("worker replaced")
        assert (replaced["pid"], replaced["reason"]) == (first.pid, "died")
        assert replaced["by"] == workers.workers()[0].pid


async def test_a_worker_that_speaks_unasked_is_killed_and_its_answer_stands(relay):
    log = Log()
    async with pool(beast("answers_twice"), log, num_workers=1, relay=relay) as workers:
        assert await workers.exec(Payload(b"a", b"b")) == Payload(b"a", b"b")
        (death,) = await log.seen("worker died")
        assert "without a request" in death["fault"]
        assert await workers.exec(Payload(b"a", b"b")) == Payload(b"a", b"b")


async def test_a_worker_that_closes_its_stdin_is_replaced_when_that_shows():
    log = Log()
    async with pool(beast("closes_stdin"), log, num_workers=1) as workers:
        with pytest.raises((WorkerBroken, NoFreeWorker)):
            await workers.exec(Payload(b"x" * 1_000_000))
        assert await log.seen("worker died")


async def test_a_flood_on_stderr_neither_blocks_the_answer_nor_grows_without_end(relay):
    log = Log()
    async with pool(beast("floods_stderr"), log, num_workers=1, relay=relay) as workers:
        for _ in range(2):
            assert await workers.exec(Payload(b"a", b"b")) == Payload(b"a", b"b")
    pieces = [message for level, message, keys in log.lines if level == "info" and keys.keys() == {"pid"}]
    assert MAX_LINE <= sum(map(len, pieces)) < 4_000_000
    assert max(map(len, pieces)) <= MAX_LINE
    assert log.keys("worker writes too much: its lines are left out")


async def test_the_lines_of_a_logger_have_its_levels_and_those_of_a_traceback_too(relay):
    """Each was of level info, so that `logs.level: warn` hid them."""
    log = Log()
    async with pool(beast("logs_an_error"), log, num_workers=1, relay=relay) as workers:
        assert await workers.exec(Payload(b"a", b"b")) == Payload(b"a", b"b")
        (ink,) = await log.seen("low on ink")
    (first, *traceback) = [message for message, _ in log.of("error")]
    assert (first, traceback[0]) == ("db is gone", "Traceback (most recent call last):")
    assert traceback[-1].startswith("IndexError: ")
    assert ink["logger"] == "root"
    assert [message for message, _ in log.of("warning")] == ["low on ink"]


async def test_a_worker_can_open_its_outputs_by_name(relay):
    """They were sockets, which no program can open: PHP's log to /dev/stderr was lost."""
    log = Log()
    async with pool(beast("opens_its_output"), log, num_workers=1, relay=relay) as workers:
        for _ in range(2):
            assert await workers.exec(Payload()) == Payload()
        for name in ("stderr", "stdout") if relay is not None else ("stderr",):
            assert await log.seen(f"written to /dev/{name}", 2)
    assert not log.keys("worker died")


@as_root
async def test_a_worker_of_another_user_can_open_its_stderr_by_name():
    command = ["/bin/sh", "-c", "echo ERROR: opened > /dev/stderr; exit 3"]
    launch = Launch(command, dict(os.environ), find_account("nobody"))
    with pytest.raises(WorkerBootError, match=r"status 3; its last lines on stderr: ERROR: opened$"):
        async with WorkerPool(PoolConfig(num_workers=1), launch, Log()):
            pytest.fail("the pool came up")


async def test_what_a_dead_worker_started_in_its_group_dies_with_it(relay):
    async with pool(beast("leaves_a_child"), num_workers=1, relay=relay) as workers:
        with pytest.raises(WorkerBroken):
            await workers.exec(Payload())
    assert not psutil.Process().children(recursive=True)


async def test_a_worker_that_is_leaving_gives_its_request_to_another_one(relay):
    log = Log()
    async with pool(beast("leaves_politely"), log, num_workers=1, relay=relay) as workers:
        pids = []
        for number in range(4):
            assert await workers.exec(Payload(b"%d" % number)) == Payload(b"%d" % number)
            pids.append(workers.workers()[0].pid)
        assert len(set(pids)) == 4
        assert {keys["reason"] for keys in await log.seen("worker replaced", 3)} == {"left"}
    assert not log.keys("worker died")


async def test_workers_that_always_leave_do_not_keep_a_caller_for_ever(relay):
    async with pool(beast("always_leaves"), num_workers=1, relay=relay) as workers:
        with pytest.raises(NoFreeWorker, match="no worker is alive"):
            await workers.exec(Payload())


async def test_a_crash_loop_pauses_longer_and_longer_and_callers_get_an_error_at_once():
    log = Log()
    async with pool(beast("dies_young"), log, num_workers=1) as workers:
        pauses = [keys["pause"] for keys in await log.seen("workers keep dying, next start after a pause", 5)]
        assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6]
        with pytest.raises(NoFreeWorker, match=r"no worker is alive: .*status 1.*cannot stay"):
            await workers.exec(Payload())


async def test_a_pool_without_any_worker_recovers_by_itself(tmp_path, relay):
    flag = tmp_path / "flag"
    flag.touch()
    log = Log()
    async with pool(beast("boots_once"), log, {"ZOO_FLAG": str(flag)}, num_workers=2, relay=relay) as workers:
        for _ in range(2):
            with pytest.raises((WorkerBroken, NoFreeWorker)):
                while True:
                    await workers.exec(Payload(b"die"))
        await log.seen("worker did not come up", 4)
        with pytest.raises(NoFreeWorker, match="the flag is gone"):
            await workers.exec(Payload())
        flag.touch()
        await log.seen("worker is up", 4)
        assert await workers.exec(Payload(b"back")) == Payload(b"back")


async def test_a_request_waits_for_the_worker_that_boots_after_a_pause(tmp_path, relay):
    """It failed at once with "no worker is alive" while the replacement booted."""
    log = Log()
    env = {"ZOO_FOLDER": str(tmp_path)}
    async with pool(beast("boots_at_a_sign"), log, env, num_workers=1, relay=relay) as workers:
        with pytest.raises(WorkerBroken):
            await workers.exec(Payload(b"die"))  # the next one dies at its boot, then the guard pauses
        await until((tmp_path / "boots").exists)
        async with anyio.create_task_group() as group:
            group.start_soon(workers.exec, Payload(b"waits"))
            await until(lambda: workers.info().waiting == 1)
            (tmp_path / "gate").touch()
        assert workers.info().no_free_workers == 0


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("rrpy.worker_pool.life.STOP_TIMEOUT", 0.2)
    monkeypatch.setattr("rrpy.worker_pool.life.TERM_TIMEOUT", 0.2)


@pytest.mark.parametrize(("sin", "killed"), [("deaf", [9] * 2), ("ends_on_sigterm", [])])
async def test_a_worker_that_does_not_stop_is_terminated_then_killed(impatient, sin, killed, relay):
    log = Log()
    async with pool(beast(sin), log, relay=relay):
        pass
    assert [keys["signal"] for keys in log.keys("worker died")] == killed


async def test_a_worker_that_hangs_in_a_request_is_killed_after_destroy_timeout(impatient, relay):
    async def call():
        with pytest.raises(WorkerBroken, match="died with signal 15"):
            await workers.exec(Payload())

    workers = pool(beast("hangs"), num_workers=1, destroy_timeout=0.1, relay=relay)
    async with anyio.create_task_group() as group, workers:
        group.start_soon(call)
        await until(lambda: workers.workers()[0].status_str == "working")
    with pytest.raises(PoolClosed):
        await workers.exec(Payload())


@pytest.mark.parametrize("sin", ["deaf", "hangs"])
async def test_a_cancelled_pool_kills_at_once(sin, relay):
    pids = []
    with anyio.fail_after(5):  # far below STOP_GRACE
        async with anyio.create_task_group() as group, pool(beast(sin), relay=relay) as workers:
            pids += [one.pid for one in workers.workers()]
            if sin == "hangs":
                group.start_soon(workers.exec, Payload())
                await until(lambda: any(one.status_str == "working" for one in workers.workers()))
            group.cancel_scope.cancel()
    assert len(pids) == 2
    assert not any(map(psutil.pid_exists, pids))


async def test_a_start_that_is_cancelled_leaves_no_process(relay):
    log = Log()
    with anyio.move_on_after(0.5) as scope:
        async with pool(beast("never_shakes"), log, relay=relay):
            pytest.fail("the pool came up")
    assert scope.cancelled_caught
    assert not psutil.Process().children()


@pytest.mark.parametrize("sin", ["hangs", "deaf"])
async def test_a_host_killed_with_sigkill_leaves_no_process(sin):
    host = await start_host(sin)
    pids = [int(word) for word in (await host.stdout.readline()).split()]
    assert len(pids) == 2
    assert all(map(running, pids))
    host.kill()
    await host.wait()
    await until(lambda: not any(map(running, pids)))


async def test_ctrl_c_in_the_terminal_does_not_reach_the_workers():
    host = await start_host("hangs")
    pids = [int(word) for word in (await host.stdout.readline()).split()]
    assert host.pid not in [os.getpgid(pid) for pid in pids]
    assert all(os.getpgid(pid) == pid == os.getsid(pid) for pid in pids)
    host.kill()
    await host.wait()
    await until(lambda: not any(map(running, pids)))


async def start_host(*arguments: str, program: str = "host.py"):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(ZOO.parent / program),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ZOO.parents[2]}:{os.environ.get('PYTHONPATH', '')}"},
        start_new_session=True,
    )


async def test_an_answer_that_comes_while_the_host_is_stopped_is_in_time(tmp_path):
    gate = tmp_path / "gate"
    host = await start_host(str(gate), "3", program="stopped_host.py")
    try:
        due = float(await host.stdout.readline())
        host.send_signal(signal.SIGSTOP)
        await until(lambda: psutil.Process(host.pid).status() == psutil.STATUS_STOPPED)
        gate.touch()
        await until(gate.with_suffix(".answered").exists)
        await until(lambda: time.monotonic() > due + 0.01)
        host.send_signal(signal.SIGCONT)
        assert await host.stdout.readline() == b"answered\n"
    finally:
        with suppress(ProcessLookupError):
            host.send_signal(signal.SIGCONT)
        await host.wait()


async def test_an_answer_that_nobody_asked_for_is_never_given_to_the_next_caller(relay):
    async with pool(beast("answers_two_at_once"), num_workers=1, relay=relay) as workers:
        first = asyncio.create_task(workers.exec(Payload(b"one")))
        second = asyncio.create_task(workers.exec(Payload(b"two")))
        assert (await first).context == b"mine"
        assert (await second).context == b"mine"


async def test_an_answer_that_waits_in_the_channel_before_the_request_is_never_its_answer(relay, tmp_path):
    log, sign = Log(), tmp_path / "sign"
    async with pool(beast("answers_again_later"), log, num_workers=1, relay=relay) as workers:
        assert (await workers.exec(Payload(os.fsencode(sign)))).context == b"mine"
        sign.with_suffix(".read").touch()
        eventually(sign.exists)  # the loop stands still, and reads nothing before the next request
        assert (await workers.exec(Payload(os.fsencode(sign)))).context == b"mine"
        (died,) = await log.seen("worker died")
    assert died["fault"] == "broke the protocol (it sent a frame without a request)"


async def test_a_request_does_not_go_to_a_worker_whose_end_is_not_read_yet(relay):
    async with pool(beast("pids"), num_workers=1, relay=relay) as workers:
        (worker,) = workers.workers()
        os.kill(worker.pid, signal.SIGKILL)
        eventually(lambda: not running(worker.pid))
        assert int((await workers.exec(Payload())).body) != worker.pid
