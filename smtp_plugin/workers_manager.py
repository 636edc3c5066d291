"""The plugin's workers, as `informer` and `resetter` see them: the pool when it is up, nothing before and after."""

from __future__ import annotations

from collections.abc import Sequence

from ..worker_pool import Pool, WorkerInfo


class WorkersManager:
    """Holds the pool while it is up."""

    def __init__(self) -> None:
        self.pool: Pool | None = None

    def workers(self) -> Sequence[WorkerInfo]:
        """Return the workers' states; empty when the pool is not up."""
        return self.pool.workers() if self.pool is not None else []

    async def reset(self) -> None:
        """Replace every worker; nothing happens when the pool is not up."""
        if self.pool is not None:
            await self.pool.reset()
