from __future__ import annotations

import time

import anyio
import pytest

from rrpy.ops import lag

pytestmark = pytest.mark.anyio

HELD = 0.2


async def test_a_loop_that_is_held_up_is_late_by_that_much(monkeypatch):
    monkeypatch.setattr(lag, "INTERVAL", 0.02)
    put, samples = anyio.create_memory_object_stream[float](1000)
    with put, samples:
        async with anyio.create_task_group() as group:
            group.start_soon(lag.watch_lag, put.send_nowait)
            with anyio.fail_after(20):
                assert await samples.receive() >= 0
                time.sleep(HELD)  # noqa: ASYNC251 - this is what the sampler is to find
                while await samples.receive() < HELD - 0.02 - 0.01:
                    pass
            group.cancel_scope.cancel()
