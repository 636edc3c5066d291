"""The promises of `jobs/protocols.py`, for every driver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest
from support.jobs.nats_server import NatsServer, nats_server
from support.jobs.places import Place, ids, is_idle, job, pull, pull_all, push
from support.waiting import until

from rrpy.jobs.drivers.memory import MemoryDriver
from rrpy.jobs.drivers.nats.config import NatsConfig
from rrpy.jobs.drivers.nats.driver import NatsDriver
from rrpy.jobs.drivers.sqlite.driver import SQLiteDriver
from rrpy.jobs.job import PAGE
from rrpy.jobs.protocols import Away, Full, Queue

PLACES: dict[str, Callable[[Path], Place]] = {
    "memory": lambda folder: Place(MemoryDriver, {}, durable=False),
    "sqlite": lambda folder: Place(SQLiteDriver, {"file": str(folder / "spool" / "smtp.db")}, durable=True),
}


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture(params=[*PLACES, "nats"])
def place(request: pytest.FixtureRequest, tmp_path: Path, nats: NatsServer) -> Place:
    if request.param == "nats":
        servers = NatsConfig(addr=nats.address)
        return Place(lambda: NatsDriver(servers), {"stream": tmp_path.name}, durable=True)
    return PLACES[request.param](tmp_path)


def with_queue(place: Place, test: Callable[[Queue], Awaitable[None]], **config: object) -> None:
    async def main() -> None:
        async with place.queue(**config) as queue:
            await test(queue)

    anyio.run(main)


def test_a_job_comes_as_it_was_pushed(place: Place) -> None:
    sent = job("a", b"\0\r\n\xff", envelope=b"{}", headers={"x": ["1", "ä\n"], "y": []}, priority=7, auto_ack=True)

    async def test(queue: Queue) -> None:
        await push(queue, sent)
        (delivery,) = await pull(queue)
        assert (delivery.job, delivery.attempt, delivery.redelivered) == (sent, 1, False)
        delivery.ack()
        await until(lambda: queue.state().running == 0)
        assert queue.refusal is None
        assert await is_idle(queue)

    with_queue(place, test)


def test_a_pull_waits_for_the_push(place: Place) -> None:
    async def test(queue: Queue) -> None:
        pulling = asyncio.ensure_future(pull(queue))
        await asyncio.sleep(0)
        await push(queue, job("a"))
        (delivery,) = await pulling
        delivery.ack()

    with_queue(place, test)


def test_a_cancelled_pull_takes_nothing(place: Place) -> None:
    async def test(queue: Queue) -> None:
        pulling = asyncio.ensure_future(queue.pull(1, 1))
        await asyncio.sleep(0)
        pushing = asyncio.ensure_future(push(queue, job("a")))
        await asyncio.sleep(0)
        pulling.cancel()
        found = await asyncio.gather(pulling, return_exceptions=True)
        await pushing
        if isinstance(found[0], BaseException):
            assert ids(await pull(queue)) == ["a"]
        else:
            assert ids(found[0]) == ["a"]

    with_queue(place, test)


def test_the_lowest_priority_goes_first_and_then_the_order_of_pushes(place: Place) -> None:
    async def test(queue: Queue) -> None:
        await push(queue, job("a", priority=10), job("b", priority=1), job("c", priority=10))
        await push(queue, job("d", priority=1))
        found = await pull_all(queue, 4)
        assert sorted(ids(found)) == ["a", "b", "c", "d"]
        if queue.sorts:
            assert ids(found) == ["b", "d", "a", "c"]
        for each in found:
            each.ack()

    with_queue(place, test)


def test_a_pull_keeps_to_its_bytes_except_for_the_first_job(place: Place) -> None:
    async def test(queue: Queue) -> None:
        await push(queue, *(job(each, bytes(2000)) for each in "abc"))
        size = job("a", bytes(2000)).size
        first = await pull(queue, 3, 2 * size)
        assert len(first) <= 2
        second = await pull(queue, 3, 1)
        assert len(second) == 1

    with_queue(place, test)


def test_an_id_that_is_there_is_not_taken_twice(place: Place) -> None:
    async def test(queue: Queue) -> None:
        await push(queue, job("a"))
        await push(queue, job("a"))
        await pull(queue)
        await push(queue, job("a"))
        assert queue.state().duplicates == 2
        assert await is_idle(queue)

    with_queue(place, test)


def test_a_job_is_given_when_it_is_due(place: Place) -> None:
    async def test(queue: Queue) -> None:
        for delay in (0.3, 3, 20):  # longer where the machine needs more time than that for the first pull
            due = time.time() + delay
            await push(queue, job(f"later{delay}", due=due), job(f"now{delay}"))
            first, second = ids(await pull(queue)), ids(await pull(queue))
            assert time.time() >= due - 0.02
            assert {*first, *second} == {f"later{delay}", f"now{delay}"}
            if first == [f"now{delay}"]:
                return
        pytest.fail("the job that is due comes after the one that is not")

    with_queue(place, test)


@pytest.mark.parametrize("by", [3600, -3600])
def test_a_delay_lasts_as_long_when_the_clock_is_set(place: Place, by: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour back made a job wait an hour longer; an hour forward made it due."""
    real = time.time

    async def test(queue: Queue) -> None:
        pulling = asyncio.ensure_future(pull(queue))
        await push(queue, job("soon", due=time.time() + 1), job("later", due=time.time() + 1800))
        await until(lambda: queue.state().delayed)
        monkeypatch.setattr(time, "time", lambda: real() + by)
        assert ids(await pulling) == ["soon"]
        assert await is_idle(queue)

    with_queue(place, test)


def test_a_retry_comes_again_with_its_attempt_and_headers(place: Place) -> None:
    async def test(queue: Queue) -> None:
        await push(queue, job("a", headers={"x": ["1"]}, envelope=b"e"))
        (first,) = await pull(queue)
        first.retry(0)
        (second,) = await pull(queue)
        assert (second.attempt, second.job) == (2, first.job)
        second.retry(0.1, {"y": ["2"]})
        (third,) = await pull(queue)
        assert (third.attempt, third.job.headers, third.job.envelope) == (3, {"y": ["2"]}, b"e")
        third.ack()

    with_queue(place, test)


def test_dead_jobs_are_listed_in_pages_of_bounded_bytes(place: Place) -> None:
    """One call made all of them at once: 2 GB for 60 jobs with long headers."""

    async def test(queue: Queue) -> None:
        names = [f"{number:02}" for number in range(PAGE // 50_000 + 2)]
        await push(queue, *(job(name, headers={"x": ["1" * 50_000]}) for name in names))
        for each in await pull_all(queue, len(names)):
            each.dead("for nothing")
        await until(lambda: queue.state().dead == len(names) or queue.state().running == 0)
        found: list[str] = []
        while page := await queue.list_dead(1000, found[-1] if found else ""):
            assert len(page) < len(names)
            found += [each.id for each in page]
        assert found == names

    with_queue(place, test)


def test_other_headers_of_a_retry_count_until_the_job_is_done(place: Place) -> None:
    """Each retry with fewer headers left bytes behind, until the pipeline was full without a job in it."""

    async def test(queue: Queue) -> None:
        await push(queue, job("a", headers={"x": ["1" * 2000]}))
        for headers, least, most in (({"x": ["2" * 9000]}, 9000, 20000), ({}, 1, 2000)):
            (delivery,) = await pull(queue)
            delivery.retry(0, headers)
            await until(lambda least=least, most=most: least <= queue.state().bytes < most)
        (delivery,) = await pull(queue)
        delivery.ack()
        await until(lambda: queue.state().bytes == 0)

    with_queue(place, test)


def test_a_retry_goes_to_the_end_and_what_is_given_back_to_its_place(place: Place) -> None:
    async def test(queue: Queue) -> None:
        await push(queue, *(job(each) for each in "abc"))
        first, second = await pull_all(queue, 2)
        first.retry(0)
        second.give_back()
        found = await pull_all(queue, 3)
        assert sorted(ids(found)) == ["a", "b", "c"]
        assert {each.job.id: each.attempt for each in found} == {"a": 2, "b": 1, "c": 1}
        if queue.sorts:
            assert ids(found) == ["b", "c", "a"]

    with_queue(place, test)


def test_a_dead_job_stays_until_it_is_revived_or_purged(place: Place) -> None:
    async def test(queue: Queue) -> None:
        await push(queue, *(job(each, headers={"x": ["1"]}) for each in "abcd"))
        for each in await pull_all(queue, 3):
            each.dead(f"for {each.job.id}")
        await until(lambda: queue.state().dead == 3 or queue.state().running == 0)
        dead = await queue.list_dead(2)
        assert [(each.id, each.name, each.reason, each.attempts) for each in dead] == [
            ("a", "smtp.email", "for a", 1),
            ("b", "smtp.email", "for b", 1),
        ]
        assert [each.id for each in await queue.list_dead(9, after="b")] == ["c"]
        assert await queue.revive(["a", "nobody"]) == 1
        assert await queue.purge(["c"]) == 1
        assert [each.id for each in await queue.list_dead(9)] == ["b"]
        found = await pull_all(queue, 2)
        assert sorted(ids(found)) == ["a", "d"]
        assert [each.job.headers for each in found] == [{"x": ["1"]}] * 2
        assert await queue.revive() == 1
        assert await queue.purge() == 0

    with_queue(place, test)


def test_a_full_queue_refuses_until_it_has_room(place: Place) -> None:
    async def test(queue: Queue) -> None:
        taken = 0
        with pytest.raises(Full, match="max_bytes"):
            for taken in range(1000):
                await push(queue, job(str(taken), bytes(1000)))
        assert 0 < taken < 100
        for each in await pull_all(queue, taken):
            each.ack()
        await until(lambda: queue.refusal is None)
        await push(queue, job("more", bytes(1000)))

    with_queue(place, test, max_bytes=64 * 1024)


def test_the_state_counts_jobs(place: Place) -> None:
    async def test(queue: Queue) -> None:
        before = time.time() - 1
        await push(queue, *(job(each) for each in "abc"), job("d", due=time.time() + 3600))
        (held,) = await pull(queue)
        await until(lambda: queue.state().running)
        state = queue.state()
        assert state.connected
        assert (state.running, state.dead) == (1, 0)
        assert (state.waiting, state.delayed) in ((2, 1), (3, 0))  # a server may not know which of its jobs are delayed
        assert before < state.oldest < time.time() + 1
        held.ack()

    with_queue(place, test)


def test_a_push_after_the_end_fails_with_away(place: Place) -> None:
    async def main() -> None:
        async with place.queue() as queue:
            pass
        with pytest.raises(Away):
            await push(queue, job("a"))

    anyio.run(main)


def test_jobs_outlive_a_host_where_the_driver_is_durable(place: Place) -> None:
    async def main() -> None:
        if not place.durable:
            async with place.queue() as queue:
                assert not queue.promise.power_failure
            return
        async with place.queue() as queue:
            await push(queue, job("a"), job("b"), job("c"), job("d", due=time.time() + 3600))
            first, second, _ = await pull_all(queue, 3)
            first.dead("it is bad")
            second.retry(0, {"x": ["1"]})
        async with place.queue() as queue:
            found = {each.job.id: each for each in await pull_all(queue, 2)}
            assert set(found) == {"b", "c"}
            assert (found["b"].attempt, found["b"].job.headers) == (2, {"x": ["1"]})
            assert [each.reason for each in await queue.list_dead(9)] == ["it is bad"]

    anyio.run(main)
