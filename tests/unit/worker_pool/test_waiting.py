"""Requests that wait: one timer for them all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvloop
from support.container.clock import TurnedLoop, run

from rrpy.container.deadline import Deadline
from rrpy.worker_pool.call import Call, CallbackCall
from rrpy.worker_pool.protocols import Payload
from rrpy.worker_pool.waiting import WaitingQueue


class Timers:
    """The timers of deadlines that are set on a loop from now on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_later = loop.call_later
        self._handles: set[asyncio.TimerHandle] = set()
        loop.call_later = self._record  # type: ignore[method-assign,assignment]

    def _record(self, delay: float, callback: Any, *args: Any) -> asyncio.TimerHandle:
        if not isinstance(getattr(callback, "__self__", None), Deadline):
            return self._call_later(delay, callback, *args)

        def fire() -> None:
            self._handles.discard(handle)
            callback(*args)

        handle = self._call_later(delay, fire)
        self._handles.add(handle)
        return handle

    @property
    def running(self) -> int:
        """How many run."""
        return sum(not handle.cancelled() for handle in self._handles)


def waiting_call() -> CallbackCall:
    return CallbackCall(lambda: Payload(b"", b""), lambda _: None)


def test_one_timer_watches_the_queue_when_those_refused_ask_again() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        timers = Timers(loop)
        refused: list[Call] = []
        running: list[int] = []
        done = asyncio.Event()

        def again(call: Call) -> None:
            refused.append(call)
            if len(refused) < 40:
                queue.add(waiting_call(), loop)
            else:
                done.set()
            loop.call_soon(lambda: running.append(timers.running))

        queue = WaitingQueue(0.01, again)
        for _ in range(2):
            queue.add(waiting_call(), loop)
            await asyncio.sleep(0.005)
        await asyncio.wait_for(done.wait(), 20)
        assert max(running) == 1
        queue.stop()
        assert timers.running == 0

    asyncio.run(test())


def test_uvloop_watches_a_deadline_that_is_less_than_half_a_millisecond_ahead() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        refused: list[Call] = []
        done = asyncio.Event()

        def refuse(call: Call) -> None:
            refused.append(call)
            if len(refused) == 2:
                done.set()

        queue = WaitingQueue(0.0004, refuse)
        calls = [waiting_call(), waiting_call()]
        for call in calls:
            queue.add(call, loop)
        await asyncio.wait_for(done.wait(), 20)
        assert refused == calls
        assert queue.next() is None

    uvloop.run(test())


def test_a_request_that_cannot_be_watched_does_not_wait() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        queue = WaitingQueue(1, lambda _: None)

        def fail(*_: object, **__: object) -> Any:
            raise RuntimeError("no timers")

        loop.call_later = loop.call_at = fail  # type: ignore[method-assign]
        try:
            with pytest.raises(RuntimeError, match="no timers"):
                queue.add(waiting_call(), loop)
        finally:
            del loop.call_later, loop.call_at
        assert queue.next() is None

    asyncio.run(test())


def test_a_request_gets_the_worker_that_became_free_while_the_host_stood_still() -> None:
    async def test(loop: TurnedLoop) -> None:
        refused: list[Call] = []
        queue = WaitingQueue(10, refused.append)
        first, second = waiting_call(), waiting_call()
        queue.add(first, loop)
        queue.add(second, loop)
        await asyncio.sleep(0)
        loop.stand_still(60)
        for _ in range(3):
            await asyncio.sleep(0)
        assert queue.next() is first
        assert refused == []
        loop.turn(60)
        for _ in range(10):
            await asyncio.sleep(0)
        assert refused == [second]

    run(test)
