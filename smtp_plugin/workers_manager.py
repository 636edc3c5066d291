"""The plugin's workers: it makes the pool in `init`, and holds it while it is up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..worker_pool import Pool, PoolConfig, PoolFactory


class WorkersManager:
    """Makes the pool and holds it. `name`: the plugin's; so `informer` and `resetter` know the pool by it at once."""

    def __init__(self, server: PoolFactory, config: PoolConfig, name: str) -> None:
        self._new_pool = server.new_pool(config, {"RR_MODE": "smtp"}, name=name)
        self._pool: Pool | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Pool]:
        """Spawn the workers, and stop them at the end. Raises WorkerBootError when one does not come up."""
        async with self._new_pool as pool:
            self._pool = pool
            try:
                yield pool
            finally:
                self._pool = None

    @property
    def ready(self) -> bool:
        """Whether a worker can take a message, now or after its present one."""
        return self._pool is not None and self._pool.ready
