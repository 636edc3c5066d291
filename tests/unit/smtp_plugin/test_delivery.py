from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from support.container.disk import room_for
from support.log import Log
from support.waiting import until

from rrpy.mime.message import parse
from rrpy.smtp_plugin.delivery import workers as module
from rrpy.smtp_plugin.delivery.event import Arrival
from rrpy.smtp_plugin.delivery.files import Storage
from rrpy.smtp_plugin.delivery.outcome import ACCEPTED, STOPPED, Outcome
from rrpy.smtp_plugin.delivery.verdict import CLOSE
from rrpy.smtp_plugin.delivery.workers import OFF_LOOP, Delivery
from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.worker_pool import Payload, PoolClosed, QueueFull

pytestmark = pytest.mark.anyio

LARGE = b"Subject: large\r\n\r\n" + b"x" * OFF_LOOP
SMALL = b"Subject: small\r\n\r\nhello\r\n"
ATTACHED = b"Content-Disposition: attachment; filename=x.bin\r\n\r\nbytes"
ARRIVAL = Arrival("id", 0.0, "uuid", "127.0.0.1:1", "a@b.c", ["x@y.z"], "client", None)


class Pool:
    """A pool whose worker answers when `gate` is set."""

    full = False

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked: list[Payload] = []

    async def exec(self, payload: Payload) -> Payload:
        self.asked.append(payload)
        await self.gate.wait()
        return Payload(b"CONTINUE")

    def submit(self, make: Callable[[], Payload], done: Callable[[Payload | Exception], None]) -> None:
        raise QueueFull(7)


def delivery(pool: Any, budget: Budget, **options: Any) -> Delivery:
    return Delivery(pool, Log(), budget, **options)


async def test_an_event_of_a_large_message_is_charged_to_the_budget_until_it_is_answered():
    pool, budget = Pool(), Budget(1)
    pending = delivery(pool, budget).deliver(ARRIVAL, LARGE)
    await until(lambda: bool(pool.asked))
    assert budget.used == len(pool.asked[0].context) > len(LARGE)
    pool.gate.set()
    assert await pending.wait() == ACCEPTED
    assert budget.used == 0


async def test_a_delivery_that_is_cancelled_gives_its_event_back():
    pool, budget = Pool(), Budget(1)
    pending = delivery(pool, budget).deliver(ARRIVAL, LARGE)
    await until(lambda: bool(pool.asked))
    assert pending.cancel()
    assert await pending.wait() == STOPPED
    assert budget.used == 0


async def test_events_of_large_messages_are_made_ahead_up_to_a_bound_and_one_may_be_larger(monkeypatch):
    monkeypatch.setattr(module, "AHEAD", len(LARGE) * 2.5)
    pool = Pool()
    deliveries = delivery(pool, Budget())
    pending = [deliveries.deliver(ARRIVAL, LARGE) for _ in range(5)]
    await until(lambda: len(pool.asked) == 2)
    await anyio.wait_all_tasks_blocked()
    assert len(pool.asked) == 2
    pool.gate.set()
    for each in pending:
        await each.wait()
    assert len(pool.asked) == 5
    monkeypatch.setattr(module, "AHEAD", 1)
    assert await deliveries.deliver(ARRIVAL, LARGE).wait() == ACCEPTED


async def test_a_large_message_that_finds_no_room_in_its_time_is_a_temporary_refusal(monkeypatch):
    monkeypatch.setattr(module, "AHEAD", 1)
    pool = Pool()
    deliveries = delivery(pool, Budget(), allocate_timeout=0.05)
    first = deliveries.deliver(ARRIVAL, LARGE)
    await until(lambda: len(pool.asked) == 1)
    outcome = await deliveries.deliver(ARRIVAL, LARGE).wait()
    assert outcome.reply.code == 451
    assert outcome.reason == "no worker was free within 0.05 s (allocate_timeout)"
    pool.gate.set()
    await first.wait()
    assert await deliveries.deliver(ARRIVAL, LARGE).wait() == ACCEPTED  # the turn was given back


async def test_a_full_queue_is_a_refusal_at_once():
    outcome = delivery(Pool(), Budget()).deliver(ARRIVAL, b"\r\n").result
    assert outcome is not None
    assert outcome.reply.code == 451
    assert "7 requests" in outcome.reason


class Later(Pool):
    """A pool that keeps what it is given, for the test to make and to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[Callable[[], Payload], Callable[[Payload | Exception], None]]] = []

    def submit(self, make: Callable[[], Payload], done: Callable[[Payload | Exception], None]) -> None:
        self.taken.append((make, done))


async def test_the_event_of_a_small_message_is_made_when_a_worker_takes_it():
    pool = Later()
    pending = delivery(pool, Budget()).deliver(ARRIVAL, SMALL)
    ((make, done),) = pool.taken
    assert b'"subject":"small"' in make().context
    assert pending.result is None
    done(Payload(b"CLOSE"))
    assert pending.result == CLOSE


async def test_a_small_message_cannot_be_cancelled_and_whoever_waits_for_it_can():
    pool = Later()
    pending = delivery(pool, Budget()).deliver(ARRIVAL, SMALL)
    assert pending.cancel() is False
    waiting = asyncio.create_task(pending.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    pool.taken[0][1](Payload(b"CONTINUE"))  # the worker's answer comes all the same
    assert pending.result == ACCEPTED


async def test_after_the_end_every_answer_is_what_the_session_said_last():
    pool = Later()
    deliveries = delivery(pool, Budget())
    answered, failed = deliveries.deliver(ARRIVAL, SMALL), deliveries.deliver(ARRIVAL, SMALL)
    deliveries.close()
    pool.taken[0][1](Payload(b"CLOSE"))
    pool.taken[1][1](PoolClosed())
    assert answered.result == Outcome((replies.STOPPING,))
    assert failed.result == Outcome((replies.STOPPING,), reason=str(PoolClosed()))


async def test_where_attachments_become_files_a_message_is_parsed_once(tmp_path, monkeypatch):
    parsed: list[bytes] = []
    monkeypatch.setattr(module, "parse", lambda content: parsed.append(content) or parse(content))
    log = Log()
    storage = Storage(str(tmp_path), 60, log)
    storage.open()
    pool, budget = Later(), Budget(1)
    deliveries = delivery(pool, budget, storage=storage)
    try:
        text = deliveries.deliver(ARRIVAL, SMALL)
        ((make, done),) = pool.taken
        assert b'"subject":"small"' in make().context
        assert budget.used == len(SMALL)
        done(Payload(b"CONTINUE"))
        assert (text.result, budget.used, parsed) == (ACCEPTED, 0, [SMALL])
        attached = deliveries.deliver(ARRIVAL, ATTACHED)
        await until(lambda: bool(pool.asked))
        assert b'"path":"' in pool.asked[0].context
        assert budget.used == len(ATTACHED) + len(pool.asked[0].context)
        pool.gate.set()
        assert await attached.wait() == ACCEPTED
        assert (budget.used, parsed) == (0, [SMALL, ATTACHED])
    finally:
        storage.close()


async def test_a_message_whose_files_find_no_room_is_refused_for_now_and_leaves_nothing_over(tmp_path):
    storage = Storage(str(tmp_path), 60, Log())
    storage.open()
    pool, budget = Pool(), Budget(1)
    deliveries = delivery(pool, budget, storage=storage)
    try:
        with room_for(100_000):
            outcome = await deliveries.deliver(ARRIVAL, ATTACHED + bytes(200_000)).wait()
        assert (outcome.reply.code, budget.used, pool.asked) == (451, 0, [])
        assert "File too large" in outcome.reason
        assert list(storage.folder.glob("id*")) == []
        pool.gate.set()
        assert await deliveries.deliver(ARRIVAL, ATTACHED).wait() == ACCEPTED
    finally:
        storage.close()
