"""The driver memory, beyond what every driver promises."""

from __future__ import annotations

import pytest
from support.jobs.places import Place, job, pull, push

from rrpy.jobs.drivers.memory import MemoryDriver

pytestmark = pytest.mark.anyio


async def test_many_priorities_do_not_slow_each_job_down() -> None:
    """Each job looked at all priorities: 100,000 of them made a job cost a millisecond of the event loop."""

    class Priority(int):
        compared = 0

        def __lt__(self, other: int) -> bool:
            Priority.compared += 1
            return int(self) < int(other)

    async with Place(MemoryDriver, {}, durable=False).queue() as queue:
        await push(queue, *(job(str(each), priority=Priority(each)) for each in range(500, 0, -1)))
        for _ in range(500):
            (delivery,) = await pull(queue)
            delivery.ack()
            assert queue.state().oldest or not queue.state().waiting
    assert Priority.compared < 20_000
