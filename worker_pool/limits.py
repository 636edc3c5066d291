"""The limits of a worker (docs/reference/wire.md#pool): its own, and the soft ones that the supervisor checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from .config import SupervisorConfig
from .states import State


class WorkerLimits(NamedTuple):
    """The limits that a worker has itself. Times in seconds; 0 means unlimited, except for `stream_timeout`.

    `max_jobs`: answers before it retires. `exec_ttl`: for an answer, and for each frame of a stream; above it the
    worker is killed. `stream_timeout`: for the end of a cancelled stream.
    """

    max_jobs: int = 0
    exec_ttl: float = 0
    stream_timeout: float = 60


class SupervisedWorker(Protocol):
    """A worker, as `limit_reached` sees it. Times are monotonic, in seconds."""

    served: int
    up_since: float
    idle_since: float

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        ...


def limit_reached(
    worker: SupervisedWorker, limits: SupervisorConfig, now: float, memory: Callable[[], int]
) -> State | None:
    """Return the state of the first soft limit that a worker has reached, else None: its age, idle time or memory.

    `memory`: returns its bytes of RSS; called only for a limit on memory. A worker that has not served yet never
    counts as idle for too long: its replacement would be idle next.
    """
    if limits.ttl and now - worker.up_since >= limits.ttl:
        return State.TTL_REACHED
    if limits.idle_ttl and worker.served and not worker.busy and now - worker.idle_since >= limits.idle_ttl:
        return State.IDLE_TTL_REACHED
    if limits.max_worker_memory and memory() >= limits.max_worker_memory * 1024 * 1024:
        return State.MAX_MEMORY_REACHED
    return None
