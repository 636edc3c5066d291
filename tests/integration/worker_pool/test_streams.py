"""Answers that come in parts: order, back-pressure, cancelling, and what goes wrong, on every relay."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from support.log import Log
from support.waiting import until
from support.worker_pool.pools import RELAYS, beast, listening, pool

from rrpy.worker_pool import ExecTimeout, Payload, PoolClosed, QueueFull, SoftError, UnexpectedStream, WorkerBroken
from rrpy.worker_pool.config import SupervisorConfig

pytestmark = pytest.mark.anyio


@pytest.fixture(params=RELAYS)
async def relay(request, tmp_path):
    async with listening(request.param, tmp_path) as relay:
        yield relay


def asked(count: int, size: int = 0) -> Payload:
    return Payload(b"%d" % count, b"%d" % size)


async def parts_of(workers, payload: Payload) -> list[Payload]:
    async with workers.stream(payload) as parts:
        return [part async for part in parts]


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 0), (3, 10), (200, 100_000)])
async def test_every_part_comes_in_order_and_the_end_is_no_part(relay, count, size):
    async with pool(beast("streams"), num_workers=1, relay=relay) as workers:
        parts = await parts_of(workers, asked(count, size))
        expected = [Payload(b"%d" % number, b"x" * size) for number in range(count)]
        assert parts == (expected or [Payload()])
        assert await parts_of(workers, asked(2)) == [Payload(b"0"), Payload(b"1")]
        (row,) = workers.workers()
        assert (row.num_execs, row.status_str) == (2, "ready")


async def test_an_answer_that_is_no_stream_is_one_part(relay):
    async with pool(beast("pids"), num_workers=1, relay=relay) as workers:
        (row,) = workers.workers()
        assert await parts_of(workers, Payload()) == [Payload(b"", b"%d" % row.pid)]


async def test_a_stream_that_is_left_is_stopped_and_its_worker_goes_on(relay):
    async with pool(beast("streams"), num_workers=1, relay=relay) as workers:
        (before,) = workers.workers()
        async with workers.stream(asked(10**9, 1000)) as parts:
            assert (await anext(parts)).context == b"0"
            assert (await anext(parts)).context == b"1"
        assert await parts_of(workers, asked(1)) == [Payload(b"0")]
        (after,) = workers.workers()
        assert (after.pid, after.num_execs) == (before.pid, 2)


async def test_a_reader_that_is_cancelled_leaves_the_stream(relay):
    log = Log()
    async with pool(beast("streams"), log, num_workers=1, relay=relay) as workers:
        with anyio.CancelScope() as scope:
            async with workers.stream(asked(10**9, 1000)) as parts:
                async for part in parts:
                    if part.context == b"5":
                        scope.cancel()
        assert await parts_of(workers, asked(1)) == [Payload(b"0")]
    assert not log.keys("worker died")


async def test_a_caller_that_is_cancelled_before_the_first_part_leaves_the_stream(relay, tmp_path):
    async with pool(beast("streams"), num_workers=1, relay=relay) as workers:
        asking = asyncio.create_task(parts_of(workers, asked(10**9, 1000)))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await parts_of(workers, asked(1)) == [Payload(b"0")]


async def test_exec_refuses_a_stream_and_the_worker_lives_on(relay):
    async with pool(beast("streams"), num_workers=1, relay=relay) as workers:
        (before,) = workers.workers()
        with pytest.raises(UnexpectedStream, match="answered with a stream"):
            await workers.exec(asked(10**9, 1000))
        assert await parts_of(workers, asked(1)) == [Payload(b"0")]
        assert workers.workers()[0].pid == before.pid


async def test_a_slow_reader_holds_the_worker_up_and_not_the_memory(relay):
    async with pool(beast("streams"), num_workers=1, relay=relay) as workers:
        async with workers.stream(asked(200, 100_000)) as parts:
            call = parts
            read = [(await anext(parts)).context]
            await until(lambda: call.unread > 1024 * 1024)
            for _ in range(20):
                await asyncio.sleep(0.005)
                assert call.unread < 2 * 1024 * 1024
            read += [part.context async for part in parts]
        assert read == [b"%d" % number for number in range(200)]


async def test_a_worker_that_does_not_end_a_cancelled_stream_is_killed(relay):
    log = Log()
    async with pool(beast("streams_deaf"), log, num_workers=1, relay=relay, stream_timeout=0.3) as workers:
        async with workers.stream(Payload()) as parts:
            await anext(parts)
        (death,) = await log.seen("worker died")
        assert death["fault"] == "did not end its cancelled stream within 0.3 s (stream_timeout)"
        async with workers.stream(Payload()) as parts:
            assert (await anext(parts)).body == b"part"


async def test_a_worker_that_dies_in_a_stream_fails_it_behind_what_came(relay):
    async with (
        pool(beast("dies_mid_stream"), num_workers=1, relay=relay) as workers,
        workers.stream(Payload()) as parts,
    ):
        assert (await anext(parts)).body == b"part"
        with pytest.raises(WorkerBroken, match=r"died with status 6; its last lines on stderr: no more ink"):
            await anext(parts)
        with pytest.raises(WorkerBroken):
            await anext(parts)


async def test_a_soft_error_ends_a_stream_behind_what_came_and_the_worker_lives_on(relay):
    async with pool(beast("fails_mid_stream"), num_workers=1, relay=relay) as workers:
        async with workers.stream(Payload()) as parts:
            assert (await anext(parts)).body == b"part"
            with pytest.raises(SoftError, match="no more of that"):
                await anext(parts)
        assert await workers.exec(Payload(b"a", b"b")) == Payload(b"a", b"b")


async def test_exec_ttl_holds_for_each_part_of_a_stream(relay):
    limits = SupervisorConfig(exec_ttl=1)
    async with (
        pool(beast("streams_and_stalls"), num_workers=1, relay=relay, supervisor=limits) as workers,
        workers.stream(Payload()) as parts,
    ):
        assert (await anext(parts)).body == b"part"
        with pytest.raises(ExecTimeout, match=r"did not answer within 1 s \(exec_ttl\) and was killed"):
            await anext(parts)


async def test_exec_ttl_does_not_punish_a_worker_for_its_slow_reader(relay):
    limits = SupervisorConfig(exec_ttl=1)
    async with (
        pool(beast("streams"), num_workers=1, relay=relay, supervisor=limits) as workers,
        workers.stream(asked(60, 100_000)) as parts,
    ):
        await until(lambda: parts.unread > 1024 * 1024)
        await asyncio.sleep(1.5)
        assert len([part async for part in parts]) == 60


async def test_a_stream_counts_for_the_queue_and_a_closed_pool_has_none():
    async with pool(beast("streams"), num_workers=1, max_queue_size=1) as workers:
        async with workers.stream(asked(10**9, 1000)) as parts:
            await anext(parts)
            with pytest.raises(QueueFull):
                await workers.exec(asked(1))
        assert await parts_of(workers, asked(1)) == [Payload(b"0")]
    with pytest.raises(PoolClosed):
        await parts_of(workers, asked(1))


@pytest.mark.usefixtures("untraced")
async def test_parts_without_a_byte_hold_the_worker_up_too(relay):
    async with (
        pool(beast("streams_nothing"), num_workers=1, relay=relay, stream_timeout=0.1) as workers,
        workers.stream(Payload()) as parts,
    ):
        await until(lambda: parts.unread > 1024 * 1024)
        for _ in range(20):
            await asyncio.sleep(0.005)
            assert parts.unread < 30_000 * 256


@pytest.mark.usefixtures("untraced")
async def test_a_worker_that_asks_for_pongs_and_reads_none_is_killed(relay):
    async with (
        pool(beast("pings_and_does_not_read"), num_workers=1, relay=relay) as workers,
        workers.stream(Payload()) as parts,
    ):
        with pytest.raises(WorkerBroken, match=r"it asks for PONGs and does not read them\) and was killed"):
            async for _ in parts:
                pass


async def test_a_worker_that_says_too_much_and_dies_is_told_by_what_it_did(relay):
    log = Log()
    async with pool(beast("dies_behind_a_stream"), log, num_workers=1, relay=relay) as workers:
        async with workers.stream(Payload()) as parts:
            await until(lambda: parts.unread > 1024 * 1024)
            await asyncio.sleep(0.1)  # it is dead before the rest is read
            assert len([part async for part in parts]) == 30
        (death,) = await log.seen("worker died")
        assert "without a request" in death["fault"]
