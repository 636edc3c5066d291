"""Requests that wait: one timer for them all."""

from __future__ import annotations

import asyncio
from typing import Any

from rrpy.worker_pool.call import Call, Errand
from rrpy.worker_pool.protocols import Payload
from rrpy.worker_pool.waiting import Waiting


def test_one_timer_watches_the_queue_when_those_refused_ask_again() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        refused: list[Call] = []
        done = asyncio.Event()

        def again(call: Call) -> None:
            refused.append(call)
            if len(refused) < 40:
                queue.add(Errand(lambda: Payload(b"", b""), lambda _: None))
            else:
                done.set()

        queue = Waiting(0.01, again)
        for _ in range(2):
            queue.add(Errand(lambda: Payload(b"", b""), lambda _: None))
            await asyncio.sleep(0.005)
        await asyncio.wait_for(done.wait(), 20)
        timers: list[Any] = [each for each in loop._scheduled if not each.cancelled()]  # type: ignore[attr-defined]
        assert len([each for each in timers if each._callback == queue._expire]) <= 1
        queue.stop()

    asyncio.run(test())
