"""Outcomes: there already, or still to come."""

from __future__ import annotations

import asyncio

import pytest
from support.log import Log

from rrpy.smtp_plugin.delivery.outcome import ACCEPTED, FAILED, STOPPED, Outcome, Pending, Running

pytestmark = pytest.mark.anyio


def test_every_listener_gets_the_result_once_in_their_order() -> None:
    pending: Pending[Outcome] = Pending()
    heard: list[tuple[str, Outcome]] = []
    pending.then(lambda outcome: heard.append(("first", outcome)))
    pending.then(lambda outcome: heard.append(("second", outcome)))
    assert (pending.result, heard) == (None, [])
    pending.settle(ACCEPTED)
    pending.then(lambda outcome: heard.append(("late", outcome)))
    assert heard == [("first", ACCEPTED), ("second", ACCEPTED), ("late", ACCEPTED)]


def test_a_result_is_set_once() -> None:
    pending = Pending.settled(ACCEPTED)
    with pytest.raises(AssertionError):
        pending.settle(FAILED)
    assert pending.result is ACCEPTED


async def test_a_coroutine_settles_its_outcome() -> None:
    async def work() -> Outcome:
        return ACCEPTED

    running = Running(work(), Log(), "uuid")
    assert running.result is None
    assert await running.wait() is ACCEPTED
    assert running.cancel() is False


async def test_a_coroutine_that_raises_is_a_failure_in_the_log() -> None:
    async def work() -> Outcome:
        raise RuntimeError("no")

    log = Log()
    assert await Running(work(), log, "the session").wait() is FAILED
    assert log.keys("delivery failed")[0]["uuid"] == "the session"


@pytest.mark.parametrize("begun", [False, True])
async def test_a_coroutine_that_is_cancelled_was_stopped(begun: bool) -> None:
    running = Running(_forever(), Log(), "uuid")
    if begun:
        await asyncio.sleep(0)
    assert running.cancel() is True
    assert await running.wait() is STOPPED


async def test_a_cancelled_wait_cancels_the_work_and_waits_for_its_end() -> None:
    cleaned = asyncio.Event()

    async def work() -> Outcome:
        try:
            return await _forever()
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    running = Running(work(), Log(), "uuid")
    waiting = asyncio.create_task(running.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert cleaned.is_set()
    assert running.result is STOPPED


async def _forever() -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError("it ended")
