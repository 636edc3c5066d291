"""The supervisor of a pool: one task that checks the limits of its workers, and removes idle ones.

It only retires and replaces workers; their places (places.py) do the rest.
"""

from __future__ import annotations

import time
from functools import partial

import anyio

from ..container.deadline import sockets_read
from ..container.protocols import Logger
from .allocator import DynamicAllocator
from .config import PoolConfig, SupervisorConfig
from .errors import WorkerBootError
from .limits import limit_reached
from .places import Places
from .usage import memory_of


async def supervise(places: Places, config: PoolConfig, allocator: DynamicAllocator | None, log: Logger) -> None:
    """Check the workers until cancelled; return at once when the configuration has neither limits nor an allocator.

    `allocator`: that of the pool; None when the configuration has none.
    """
    limits = config.supervisor or SupervisorConfig()
    soft = bool(limits.ttl or limits.idle_ttl or limits.max_worker_memory)
    ticks = [float(limits.watch_tick)] if soft else []
    if config.dynamic_allocator is not None:
        ticks.append(config.dynamic_allocator.idle_timeout / 4)
    while ticks:
        await anyio.sleep(min(ticks))
        await sockets_read()  # after a pause of the host, requests for its idle workers may be there
        if allocator is not None:
            allocator.remove_idle()
        if soft:
            await _check_limits(places, limits, log)


async def _check_limits(places: Places, limits: SupervisorConfig, log: Logger) -> None:
    now = time.monotonic()
    for worker in places.staying:
        reached = limit_reached(worker, limits, now, partial(memory_of, worker.pid))
        if reached is None:
            continue
        log.debug("worker has reached a limit", pid=worker.pid, limit=reached.text)
        if worker.busy:
            worker.expire(reached)
            continue
        try:
            await places.replace(worker, reached)
        except WorkerBootError as fault:
            places.log_failed_boot(fault, "worker did not come up, the old one stays")
            return
