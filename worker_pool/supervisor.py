"""The supervisor of a pool: one task that looks at the limits of its workers, and at those that have nothing to do.

It is the only one that decides by time. It retires workers and replaces them; their places do the rest (pool.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import anyio

from ..container.protocols import Logger
from .config import AllocatorConfig, SupervisorConfig
from .errors import WorkerBootError
from .info import memory_of
from .limits import limit_reached
from .states import State
from .worker import Worker


class Supervised(Protocol):
    """The pool, as its supervisor sees it."""

    @property
    def log(self) -> Logger:
        """Where it tells what it does."""
        ...

    @property
    def standing(self) -> Sequence[Worker]:
        """The workers that are to stay."""
        ...

    @property
    def idle(self) -> Sequence[Worker]:
        """The workers without a request, the one that has waited longest first."""
        ...

    @property
    def extra(self) -> int:
        """How many workers the dynamic allocator has added."""
        ...

    async def replace(self, old: Worker, reached: State | None = None) -> None:
        """Let a new worker take the place of an old one."""
        ...

    def shrink(self, worker: Worker | None = None, *, extra: bool = False) -> None:
        """Have one place less."""
        ...


async def supervise(pool: Supervised, limits: SupervisorConfig, allocator: AllocatorConfig | None) -> None:
    """Look after the pool until cancelled; return at once when there is nothing to look at."""
    soft = bool(limits.ttl or limits.idle_ttl or limits.max_worker_memory)
    ticks = [float(limits.watch_tick)] if soft else []
    if allocator is not None:
        ticks.append(allocator.idle_timeout / 4)
    while ticks:
        await anyio.sleep(min(ticks))
        if allocator is not None:
            _send_idle_home(pool, allocator.idle_timeout)
        if soft:
            await _look_at_limits(pool, limits)


def _send_idle_home(pool: Supervised, idle_timeout: float) -> None:
    """Take away what the dynamic allocator has added and nobody needs."""
    now = time.monotonic()
    for worker in pool.idle:
        if not pool.extra or now - worker.idle_since < idle_timeout:
            break
        pool.shrink(worker, extra=True)


async def _look_at_limits(pool: Supervised, limits: SupervisorConfig) -> None:
    now = time.monotonic()
    for worker in pool.standing:
        reached = limit_reached(worker, limits, now, partial(memory_of, worker.pid))
        if reached is None:
            continue
        pool.log.debug("worker has reached a limit", pid=worker.pid, limit=reached.text)
        if worker.busy:
            worker.expire(reached)
            continue
        try:
            await pool.replace(worker, reached)
        except WorkerBootError as fault:
            pool.log.warning("worker did not come up, the old one stays", error=str(fault))
            return
