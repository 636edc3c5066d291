"""An event loop whose clock a test turns, so that a timeout is tested without its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio


class TurnedLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop; its clock goes on by itself too, so that what polls does not hang."""

    _turned = 0.0

    def time(self) -> float:
        return super().time() + self._turned

    def turn(self, seconds: float) -> None:
        """Set the clock forward; timers that are due then fire before any other task waits again."""
        self._turned += seconds

    async def fly(self, step: float) -> None:
        """Set the clock forward by `step` seconds in each round of the loop, until cancelled."""
        while True:
            self.turn(step)
            await asyncio.sleep(0)


def run(test: Callable[[TurnedLoop], Awaitable[Any]]) -> None:
    """Run a test on a loop of this kind."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        await test(loop)

    anyio.run(main, backend_options={"loop_factory": TurnedLoop})
