"""The watchdog of the event loop: what counts as a block, and what it says of one."""

from __future__ import annotations

import asyncio
import threading

import pytest
from support.log import Log
from support.waiting import TIMEOUT

from rrpy.container import watchdog
from rrpy.container.watchdog import TICK, Block, Watchdog


class Looks:
    """Looks at clocks that the test turns."""

    def __init__(self, limit: float = 1.0) -> None:
        self.now = self.cpu = 100.0
        self.block = Block(limit, self.now, self.cpu)

    def look(self, seconds: float = TICK, *, alive: bool, cpu: float = 0.0) -> float | None:
        self.now += seconds
        self.cpu += cpu
        return self.block.look(self.now, self.cpu, alive=alive)


def test_a_loop_that_lives_is_not_reported() -> None:
    looks = Looks()
    assert [looks.look(alive=True) for _ in range(20)] == [None] * 20
    assert [looks.look(alive=False) for _ in range(3)] == [None] * 3
    assert looks.look(alive=True) is None


def test_a_block_is_reported_once_when_it_counts_and_once_at_its_end() -> None:
    looks = Looks()
    looks.look(alive=True)
    assert [looks.look(alive=False) for _ in range(8)] == [None, None, None, 1.0, None, None, None, None]
    assert looks.look(alive=True) == 2.25
    assert looks.look(alive=True) is None
    assert [looks.look(alive=False) for _ in range(4)] == [None, None, None, 1.0]


def test_the_time_of_a_process_that_was_stopped_does_not_count() -> None:
    looks = Looks()
    looks.look(alive=True)
    assert looks.look(60, alive=False) is None
    assert looks.look(alive=False) is None
    assert looks.look(alive=True) is None
    looks.look(60, alive=True)
    assert [looks.look(alive=False) for _ in range(3)] == [None] * 3


def test_code_that_keeps_the_watchdog_itself_from_running_is_a_block() -> None:
    looks = Looks()
    looks.look(alive=True)
    assert looks.look(8, alive=False, cpu=7.9) == 8


def test_a_block_in_which_the_process_was_stopped_counts_without_that_time() -> None:
    looks = Looks()
    looks.look(alive=True)
    assert [looks.look(alive=False), looks.look(60, alive=False), looks.look(alive=False)] == [None] * 3
    assert [looks.look(alive=False), looks.look(alive=False)] == [None, 1.0]


def test_the_log_names_the_task_and_its_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "TICK", 0.01)
    log = Log()
    blocked, again = threading.Event(), threading.Event()
    real = log.warning

    def warning(message: str, **keys: object) -> None:
        real(message, **keys)
        (blocked if "blocked" in message else again).set()

    log.warning = warning  # type: ignore[method-assign]

    def hold_the_loop() -> None:
        blocked.clear()
        again.clear()
        assert blocked.wait(TIMEOUT)

    async def odd() -> None:
        hold_the_loop()

    async def main() -> None:
        with Watchdog(log, 0.3):
            await asyncio.create_task(odd(), name="plugin odd")
            assert await asyncio.to_thread(again.wait, TIMEOUT)
            asyncio.get_running_loop().call_soon(hold_the_loop)
            await asyncio.sleep(0.01)
            assert await asyncio.to_thread(again.wait, TIMEOUT)

    asyncio.run(main())
    found = {keys["task"]: keys for message, keys in log.of("warning") if message == "the event loop is blocked"}
    assert set(found) >= {"plugin odd", "callback"}
    assert "in hold_the_loop" in str(found["plugin odd"]["stacktrace"])
