"""A thread that watches the event loop, and logs where it stands still.

What we want: a plugin that blocks the loop stops mail, RPC, signals and every timer, and the log has its place. What
does not work: a timer of the loop, which stands still too. What we do: a thread asks the loop for a sign of life. When
none comes for a second, the thread logs the name of the loop's task and its stack, once for each block.
A process that is stopped (SIGSTOP, a frozen container) or gets no CPU does not count as blocked. The thread knows it by
its own pauses: it has slept too long, and the process has used no CPU time. A suspended machine stops the clock itself.
What can still fail: C code that holds Python's lock stops the thread too. It then logs after the block, and the stack
may be a later one.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Final, Self

from .leaving import plugin_of, stack_of
from .protocols import Logger

TICK: Final = 0.25
"""Seconds between two looks."""
LIMIT: Final = 1.0
"""Seconds without a sign of life after which the loop counts as blocked."""
_FRAMES: Final = 12


class Block:
    """Decides whether a loop is blocked, from looks at clocks. Pure.

    `limit`: seconds. `now`, `cpu`: seconds of the monotonic clock, and of CPU time that the process has used.
    """

    def __init__(self, limit: float, now: float, cpu: float) -> None:
        self.limit = limit
        self.reported = False
        self._since = self._looked = now
        self._cpu = cpu

    def look(self, now: float, cpu: float, *, alive: bool) -> float | None:
        """Take a look; return the seconds of a block that is to be reported: when it begins to count, and at its end.

        `alive`: whether the loop has given a sign of life since the last look.
        """
        pause, used = now - self._looked, cpu - self._cpu
        self._looked, self._cpu = now, cpu
        if pause > 2 * TICK and used < pause / 2:
            self._since += pause
        blocked = now - self._since
        if alive:
            self._since = now
        if self.reported is alive and (alive or blocked >= self.limit):
            self.reported = not alive
            return blocked
        return None


class Watchdog:
    """Watches the running loop while its `with` block runs.

    `limit`: seconds, may change meanwhile. `modules`: returns a plugin for each module.
    """

    def __init__(
        self, log: Logger, limit: float = LIMIT, modules: Callable[[], Mapping[str, str]] = dict[str, str]
    ) -> None:
        self.limit = limit
        self._log = log
        self._modules = modules
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._around = {*stack_of(sys._getframe())}  # the frames that run the loop: they do not tell a place
        self._alive = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog of the loop", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        block = Block(self.limit, time.monotonic(), time.process_time())
        self._loop.call_soon_threadsafe(self._alive.set)
        while not self._end.wait(TICK):
            alive = self._alive.is_set()
            block.limit = self.limit
            seconds = block.look(time.monotonic(), time.process_time(), alive=alive)
            if seconds is not None:
                self._report(seconds, blocked=not alive)
            if alive:
                self._alive.clear()
                self._loop.call_soon_threadsafe(self._alive.set)

    def _report(self, seconds: float, *, blocked: bool) -> None:
        if blocked:
            self._log.warning("the event loop is blocked", seconds=round(seconds, 1), **self._place())
        else:
            self._log.warning("the event loop runs again", seconds=round(seconds, 1))

    def _place(self) -> dict[str, str]:
        """Return what the loop runs: the plugin where it is known, the task or `callback`, the stack."""
        stack = [each for each in stack_of(sys._current_frames().get(self._watched)) if each not in self._around]
        plugin = plugin_of(stack, self._modules())
        try:
            task = asyncio.current_task(self._loop)
        except RuntimeError:
            task = None
        keys = {"task": task.get_name() if task is not None else "callback", "stacktrace": _text_of(stack)}
        return {"plugin": plugin, **keys} if plugin else keys


def _text_of(stack: list[FrameType]) -> str:
    """Return the innermost frames of a stack, as in a traceback."""
    frames = [(frame, frame.f_lineno) for frame in reversed(stack[:_FRAMES])]
    return "".join(traceback.StackSummary.extract(iter(frames)).format()).rstrip()
