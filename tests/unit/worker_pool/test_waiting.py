"""Requests that wait: one timer for them all."""

from __future__ import annotations

import asyncio
from typing import Any

from rrpy.worker_pool.call import Call, CallbackCall
from rrpy.worker_pool.protocols import Payload
from rrpy.worker_pool.waiting import WaitingQueue


class Timers:
    """The timers that are set on a loop from now on, except for those of the test's own sleeps."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_at = loop.call_at
        self._handles: set[asyncio.TimerHandle] = set()
        loop.call_at = self._record  # type: ignore[method-assign]

    def _record(self, when: float, callback: Any, *args: Any, **given: Any) -> asyncio.TimerHandle:
        if not isinstance(getattr(callback, "__self__", None), WaitingQueue):
            return self._call_at(when, callback, *args, **given)

        def fire() -> None:
            self._handles.discard(handle)
            callback(*args)

        handle = self._call_at(when, fire, **given)
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
