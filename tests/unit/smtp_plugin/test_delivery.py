from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from support.worker_pool.pools import RecordingLog, until

from rrpy.smtp_plugin.delivery import workers as module
from rrpy.smtp_plugin.delivery.event import Arrival
from rrpy.smtp_plugin.delivery.workers import OFF_LOOP, Delivery
from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.worker_pool import Payload, QueueFull

pytestmark = pytest.mark.anyio

LARGE = b"Subject: large\r\n\r\n" + b"x" * OFF_LOOP
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
    return Delivery(pool, RecordingLog(), budget, **options)


async def test_an_event_of_a_large_message_is_charged_to_the_budget_until_it_is_answered():
    pool, budget = Pool(), Budget(1)
    async with anyio.create_task_group() as group:
        group.start_soon(delivery(pool, budget).deliver, ARRIVAL, LARGE)
        await until(lambda: bool(pool.asked))
        assert budget.used == len(pool.asked[0].context) > len(LARGE)
        pool.gate.set()
    assert budget.used == 0


async def test_a_delivery_that_is_cancelled_gives_its_event_back():
    pool, budget = Pool(), Budget(1)
    async with anyio.create_task_group() as group:
        group.start_soon(delivery(pool, budget).deliver, ARRIVAL, LARGE)
        await until(lambda: bool(pool.asked))
        group.cancel_scope.cancel()
    assert budget.used == 0


async def test_events_of_large_messages_are_made_ahead_up_to_a_bound_and_one_may_be_larger(monkeypatch):
    monkeypatch.setattr(module, "AHEAD", len(LARGE) * 2.5)
    pool = Pool()
    deliveries = delivery(pool, Budget())
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(deliveries.deliver, ARRIVAL, LARGE)
        await until(lambda: len(pool.asked) == 2)
        await anyio.wait_all_tasks_blocked()
        assert len(pool.asked) == 2
        pool.gate.set()
    assert len(pool.asked) == 5
    monkeypatch.setattr(module, "AHEAD", 1)
    verdict, _ = await deliveries.deliver(ARRIVAL, LARGE)
    assert verdict.reply.code == 250


async def test_a_large_message_that_finds_no_room_in_its_time_is_a_temporary_refusal(monkeypatch):
    monkeypatch.setattr(module, "AHEAD", 1)
    pool = Pool()
    deliveries = delivery(pool, Budget(), patience=0.05)
    async with anyio.create_task_group() as group:
        group.start_soon(deliveries.deliver, ARRIVAL, LARGE)
        await until(lambda: len(pool.asked) == 1)
        verdict, reason = await deliveries.deliver(ARRIVAL, LARGE)
        assert verdict.reply.code == 451
        assert reason == "no worker was free within 0.05 s (allocate_timeout)"
        pool.gate.set()
    verdict, _ = await deliveries.deliver(ARRIVAL, LARGE)  # the turn was given back
    assert verdict.reply.code == 250


async def test_a_queue_that_is_full_is_told_at_once():
    told: list[Any] = []
    delivery(Pool(), Budget()).submit(ARRIVAL, b"\r\n", lambda *what: told.append(what))
    ((verdict, reason),) = told
    assert verdict.reply.code == 451
    assert "7 requests" in reason


async def test_who_awaits_a_small_message_has_its_event_made_by_the_pool_too():
    taken: list[tuple[Callable[[], Payload], Callable[[Payload | Exception], None]]] = []

    class Later(Pool):
        def submit(self, make: Callable[[], Payload], done: Callable[[Payload | Exception], None]) -> None:
            taken.append((make, done))

    answers: list[Any] = []
    deliveries = delivery(Later(), Budget())
    async with anyio.create_task_group() as group:
        group.start_soon(ask, deliveries, answers)
        await until(lambda: bool(taken))
        ((make, done),) = taken
        assert b'"subject":"small"' in make().context
        done(Payload(b"CLOSE"))
    ((verdict, reason),) = answers
    assert (verdict.close is not None, reason) == (True, "")
    async with anyio.create_task_group() as group:
        group.start_soon(ask, deliveries, answers)
        await until(lambda: len(taken) == 2)
        group.cancel_scope.cancel()
    taken[1][1](Payload(b"CONTINUE"))  # the worker's answer comes all the same
    assert len(answers) == 1


async def ask(deliveries: Delivery, answers: list[Any]) -> None:
    answers.append(await deliveries.ask(ARRIVAL, b"Subject: small\r\n\r\nhello\r\n"))
