"""The grace period, with a clock that the test turns."""

from __future__ import annotations

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus
from support.container.clock import TurnedLoop, run

from rrpy import Config, Container


class Slow:
    """A plugin whose stop lasts until the test ends it."""

    name = "slow"

    def init(self) -> None:
        self.end = anyio.Event()
        self.cut_off = False

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        try:
            await self.end.wait()
        except BaseException:
            self.cut_off = True
            raise

    async def stop(self) -> None:
        await self.end.wait()


async def stopping(loop: TurnedLoop, slow: Slow, pause: float) -> None:
    container = Container([slow], Config.from_dict({"endure": {"grace_period": "30s"}, "logs": {"mode": "none"}}))
    async with anyio.create_task_group() as group:
        await group.start(container.serve)
        container.stop()
        await turns()
        loop.stand_still(pause)
        await turns()
        slow.end.set()


async def turns() -> None:
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


def test_the_time_of_a_frozen_host_is_not_part_of_the_grace_period() -> None:
    slow = Slow()
    run(lambda loop: stopping(loop, slow, 50))
    assert not slow.cut_off


def test_the_grace_period_ends_for_a_host_that_runs() -> None:
    slow = Slow()
    run(lambda loop: stopping(loop, slow, 30))
    assert slow.cut_off
