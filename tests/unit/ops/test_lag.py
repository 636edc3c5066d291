"""The loop's lag, by a clock that the test turns."""

from __future__ import annotations

import asyncio

import pytest
from support.container.clock import TurnedLoop, run

from rrpy.ops.lag import INTERVAL, watch_lag


def test_a_timer_that_fires_late_is_late_by_the_time_for_which_the_loop_was_blocked() -> None:
    async def test(loop: TurnedLoop) -> None:
        lags: list[float] = []
        now = 100.0
        sampled = asyncio.Event()

        def observe(lag: float) -> None:
            lags.append(lag)
            sampled.set()

        sampler = asyncio.create_task(watch_lag(observe, lambda: now))
        for blocked in (0.0, 0.2, -0.001, 3.0):  # a timer may fire early by the clock's resolution
            await asyncio.sleep(0)
            sampled.clear()
            now += INTERVAL + blocked
            loop.turn(INTERVAL)
            await sampled.wait()
        sampler.cancel()
        assert lags == pytest.approx([0.0, 0.2, 0.0, 3.0])

    run(test)
