"""When the heap is trimmed: after a burst, and not while one lasts."""

from __future__ import annotations

import asyncio
import ctypes

import pytest
from support.container.clock import TurnedLoop, run

from rrpy.container.heap import IDLE, TRIM_AFTER, Heap, malloc_trim

STEP = IDLE / 4


class Trimmed:
    """A heap that counts its trims."""

    def __init__(self) -> None:
        self.count = 0
        self.heap = Heap(self.trim)

    def trim(self) -> None:
        self.count += 1


async def pass_time(loop: TurnedLoop, seconds: float) -> None:
    for _ in range(round(seconds / STEP)):
        loop.turn(STEP)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def test_it_is_trimmed_once_after_a_burst():
    async def test(loop: TurnedLoop) -> None:
        trimmed = Trimmed()
        for _ in range(100):
            trimmed.heap.freed(TRIM_AFTER // 10)
        assert trimmed.count == 0
        await pass_time(loop, 2 * IDLE)
        assert trimmed.count == 1
        await pass_time(loop, 10 * IDLE)
        assert trimmed.count == 1

    run(test)


def test_it_is_not_trimmed_while_the_burst_lasts():
    async def test(loop: TurnedLoop) -> None:
        trimmed = Trimmed()
        for _ in range(100):
            trimmed.heap.freed(TRIM_AFTER)
            await pass_time(loop, STEP)
        assert trimmed.count == 0
        await pass_time(loop, 3 * IDLE)
        assert trimmed.count == 1

    run(test)


def test_little_things_start_no_timer_until_they_are_many():
    async def test(loop: TurnedLoop) -> None:
        trimmed = Trimmed()
        timers = 0
        call_later = loop.call_later

        def counted(*arguments: object) -> asyncio.TimerHandle:
            nonlocal timers
            timers += 1
            return call_later(*arguments)  # type: ignore[arg-type]

        loop.call_later = counted  # type: ignore[method-assign]
        for _ in range(15):
            trimmed.heap.freed(TRIM_AFTER // 16)
            await pass_time(loop, 2 * IDLE)
        assert (trimmed.count, timers) == (0, 0)
        trimmed.heap.freed(TRIM_AFTER // 16)
        await pass_time(loop, 2 * IDLE)
        assert (trimmed.count, timers) == (1, 1)

    run(test)


def test_it_is_trimmed_on_a_later_loop_too():
    trimmed = Trimmed()

    async def burst(loop: TurnedLoop) -> None:
        trimmed.heap.freed(TRIM_AFTER)  # the loop ends before its timer

    async def test(loop: TurnedLoop) -> None:
        trimmed.heap.freed(1)
        await pass_time(loop, 2 * IDLE)

    run(burst)
    run(test)
    assert trimmed.count == 1


def test_a_libc_without_trim_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    malloc_trim()


def test_the_libc_s_own_trim_is_called(monkeypatch: pytest.MonkeyPatch):
    calls: list[int] = []

    class Libc:
        malloc_trim = staticmethod(calls.append)

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Libc)
    malloc_trim()
    assert calls == [0]
