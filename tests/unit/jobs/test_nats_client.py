"""The end of tasks in the driver nats."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from rrpy.jobs.drivers.nats.client import cancel

pytestmark = pytest.mark.anyio


async def test_a_cancelled_caller_waits_for_the_end_of_the_tasks_first() -> None:
    begun, ending, release = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ending.set()
            while not release.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await release.wait()

    task = asyncio.create_task(work())
    await begun.wait()
    caller = asyncio.create_task(cancel(task))
    await ending.wait()
    caller.cancel()
    await asyncio.wait([caller], timeout=0)
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert task.done()
