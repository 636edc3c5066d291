"""The dynamic allocator: it adds workers while requests wait, and removes them when they are idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from ..container.protocols import Logger
from .backoff import pause_after
from .config import AllocatorConfig
from .errors import WorkerBootError
from .places import Places
from .waiting import WaitingQueue
from .worker import Worker

REACTION: Final = 0.02
"""Seconds that a request waits before workers are added."""


class DynamicAllocator:
    """Adds at most `spawn_rate` workers at once, and more when they are up and requests still wait.

    While no worker that it adds comes up, it adds the next ones after growing pauses (backoff.py).
    `idle`: the pool's live list of workers without a request, the one that waits longest first.
    """

    def __init__(
        self, config: AllocatorConfig, places: Places, queue: WaitingQueue, idle: Sequence[Worker], log: Logger
    ) -> None:
        self._config = config
        self._places = places
        self._queue = queue
        self._idle = idle
        self._log = log
        self._adding = False  # workers boot, or the timer runs that is to start them
        self._failed_rounds = 0  # in a row
        self._timer: asyncio.TimerHandle | None = None

    def request_waits(self) -> None:
        """Called with each request that waits."""
        if not self._adding:
            self._add_after(REACTION)

    def stop(self) -> None:
        """Called when the pool closes: add no more workers."""
        if self._timer is not None:
            self._timer.cancel()
        self._adding = False
        self._failed_rounds = 0

    def remove_idle(self) -> None:
        """Remove added workers that have been idle for `idle_timeout`. Called by the supervisor."""
        now = time.monotonic()
        for worker in list(self._idle):
            if not self._places.extra or now - worker.idle_since < self._config.idle_timeout:
                break
            self._places.extra -= 1
            self._places.retire_one(worker)

    def _add_after(self, seconds: float) -> None:
        self._adding = True
        self._timer = asyncio.get_running_loop().call_later(seconds, self._add)

    def _add(self) -> None:
        """Add workers if requests still wait."""
        waiting = self._queue.count
        count = min(waiting, self._config.spawn_rate, self._config.max_workers - self._places.extra)
        self._adding = count > 0
        if self._adding:
            self._log.debug("requests wait, workers are added", waiting=waiting, workers=count)
            self._places.start(self._boot, count)

    async def _boot(self, count: int) -> None:
        failures = 0

        def failed(fault: WorkerBootError) -> None:
            nonlocal failures
            failures += 1
            self._places.extra -= 1
            self._places.log_failed_boot(fault)

        self._places.extra += count
        await self._places.add(count, failed)
        if failures < count:
            self._failed_rounds = 0
            self._add()
        else:
            self._failed_rounds += 1
            self._add_after(pause_after(self._failed_rounds))
