"""An event loop whose clock a test turns, so that a timeout is tested without its time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

import anyio


class InterruptedSelector(selectors.DefaultSelector):
    """A selector whose next wait reports nothing after `interrupted` is set."""

    interrupted = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.interrupted:
            self.interrupted = False
            return []
        return super().select(timeout)


class TurnedLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop; its clock goes on by itself too, so that what polls does not hang."""

    _turned = 0.0

    def __init__(self) -> None:
        self._interrupted = InterruptedSelector()
        super().__init__(self._interrupted)

    def time(self) -> float:
        return super().time() + self._turned

    def turn(self, seconds: float) -> None:
        """Set the clock forward; timers that are due then fire before any other task waits again."""
        self._turned += seconds

    def stand_still(self, seconds: float) -> None:
        """Do as SIGSTOP and SIGCONT do: the time passes, and the wait for I/O under way reports nothing."""
        self.turn(seconds)
        self._interrupted.interrupted = True

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
