"""The plugin's workers, as `informer` and `resetter` see them: the pool when it is up, nothing before and after."""

from __future__ import annotations

from collections.abc import Sequence

from ..worker_pool import Pool, PoolError, PoolInfo, WorkerInfo


class WorkersManager:
    """Holds the pool while it is up."""

    def __init__(self) -> None:
        self.pool: Pool | None = None

    def workers(self) -> Sequence[WorkerInfo]:
        """Return the workers' states; empty when the pool is not up."""
        return self.pool.workers() if self.pool is not None else []

    def pool_info(self) -> PoolInfo | None:
        """Return the pool's figures, None when it is not up."""
        return self.pool.info() if self.pool is not None else None

    async def reset(self) -> None:
        """Replace every worker; nothing happens when the pool is not up."""
        if self.pool is not None:
            await self.pool.reset()

    async def add_worker(self) -> None:
        """Add one worker. Raises PoolError when it does not come up, and when the pool is not up."""
        await self._up().add_worker()

    async def remove_worker(self) -> None:
        """Take one worker away. Raises PoolError for the last one, and when the pool is not up."""
        await self._up().remove_worker()

    def _up(self) -> Pool:
        if self.pool is None:
            raise PoolError("the workers are not up: the plugin is starting or stopping")
        return self.pool
