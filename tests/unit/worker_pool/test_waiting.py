"""Requests that wait: one timer for them all."""

from __future__ import annotations

import asyncio
from typing import Any

from rrpy.worker_pool.call import Call, CallbackCall
from rrpy.worker_pool.protocols import Payload
from rrpy.worker_pool.waiting import WaitingQueue


def waiting_call() -> CallbackCall:
    return CallbackCall(lambda: Payload(b"", b""), lambda _: None)


def test_one_timer_watches_the_queue_when_those_refused_ask_again() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []
        call_at = loop.call_at

        def recorded(when: float, callback: Any, *args: Any, **given: Any) -> asyncio.TimerHandle:
            handle = call_at(when, callback, *args, **given)
            if getattr(callback, "__self__", None) is queue:
                timers.append(handle)
            return handle

        loop.call_at = recorded
        refused: list[Call] = []
        done = asyncio.Event()
        most = 0

        def again(call: Call) -> None:
            nonlocal most
            refused.append(call)
            if len(refused) < 40:
                queue.add(waiting_call(), loop)
            else:
                done.set()
            most = max(most, len([each for each in timers if not each.cancelled() and each.when() > loop.time()]))

        queue = WaitingQueue(0.01, again)
        for _ in range(2):
            queue.add(waiting_call(), loop)
            await asyncio.sleep(0.005)
        await asyncio.wait_for(done.wait(), 20)
        assert most <= 1
        queue.stop()

    asyncio.run(test())
