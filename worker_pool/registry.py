"""Worker groups by their names: the pools of the plugin `server`, and those of every plugin that has workers.

A pool is known by its name from `new_pool` on, also before it is up and after it is down. Clients see a group without
workers then, instead of an unknown name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from ..container.errors import HostError
from ..container.health import FINE, Status, unavailable
from .errors import PoolError
from .pool import WorkerPool
from .protocols import Pool, PoolInfo, WorkerGroup, WorkerGroups, WorkerInfo


class NamedPool:
    """A pool under its name: a WorkerGroup, and the context manager that `new_pool` returns.

    `make`: called at each entering. `claim`: called before it, so that the registry can refuse the name.
    `in_use`: until the pool is left.
    """

    def __init__(self, name: str, make: Callable[[], WorkerPool], claim: Callable[[NamedPool], None]) -> None:
        self.name = name
        self.in_use = True
        self._make = make
        self._claim = claim
        self._pool: WorkerPool | None = None

    async def __aenter__(self) -> Pool:
        """Spawn the workers. Raises WorkerBootError when one does not come up, HostError when the name is taken."""
        self._claim(self)
        self.in_use = True
        try:
            self._pool = await self._make().__aenter__()
        except BaseException:
            self.in_use = False
            raise
        return self._pool

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the workers."""
        pool, self._pool = self._pool, None
        try:
            if pool is not None:
                await pool.__aexit__(kind, error, trace)
        finally:
            self.in_use = False

    def workers(self) -> Sequence[WorkerInfo]:
        """Return the state of each worker; empty when the pool is not up."""
        return self._pool.workers() if self._pool is not None else []

    def info(self) -> PoolInfo | None:
        """Return the pool's figures, None when it is not up."""
        return self._pool.info() if self._pool is not None else None

    def readiness(self) -> Status:
        """Return whether a worker can take a request."""
        return FINE if self._pool is not None and self._pool.ready else unavailable("no worker is up")

    async def reset(self) -> None:
        """Replace every worker; do nothing when the pool is not up."""
        if self._pool is not None:
            await self._pool.reset()

    async def add_worker(self) -> None:
        """Add one worker. Raises PoolError when it does not come up, and when the pool is not up."""
        await self._up().add_worker()

    async def remove_worker(self) -> None:
        """Remove one worker. Raises PoolError for the last one, and when the pool is not up."""
        await self._up().remove_worker()

    def _up(self) -> Pool:
        if self._pool is None:
            raise PoolError("the workers are not up: the plugin is starting or stopping")
        return self._pool


class PoolRegistry:
    """The pools that `new_pool` has made, by name."""

    def __init__(self) -> None:
        self._pools: dict[str, NamedPool] = {}

    def new(self, name: str, make: Callable[[], WorkerPool]) -> NamedPool:
        """Return a pool to be entered. Raises HostError when another pool of this name is in use."""
        pool = NamedPool(name, make, self._claim)
        self._claim(pool)
        return pool

    def groups(self) -> Mapping[str, WorkerGroup]:
        """Return every pool."""
        return self._pools

    def readiness(self) -> Mapping[str, Callable[[], Status]]:
        """Return a check of every pool in use."""
        return {name: pool.readiness for name, pool in self._pools.items() if pool.in_use}

    def _claim(self, pool: NamedPool) -> None:
        other = self._pools.get(pool.name)
        if other is not None and other is not pool and other.in_use:
            raise HostError(f"there is a worker pool called {pool.name} already; each pool needs a name of its own")
        self._pools[pool.name] = pool


class KnownGroups:
    """The worker groups of all plugins, as `informer`, `resetter` and `metrics` look them up."""

    def __init__(self) -> None:
        self._owners: list[WorkerGroups] = []

    def add(self, owner: WorkerGroups) -> None:
        """Add a plugin with workers."""
        self._owners.append(owner)

    def all(self) -> Mapping[str, WorkerGroup]:
        """Return every group by its name. Raises HostError when two plugins have a group of the same name."""
        found: dict[str, WorkerGroup] = {}
        for owner in self._owners:
            for name, group in owner.worker_groups().items():
                if name in found:
                    raise HostError(f"two plugins have workers called {name}; each group needs a name of its own")
                found[name] = group
        return found

    def find(self, name: str) -> WorkerGroup:
        """Return the group of this name. Raises HostError, with RoadRunner's text, when there is none."""
        groups = self.all()
        if name not in groups:
            raise HostError(f"no such plugin: {name}")
        return groups[name]
