"""The limits of a worker that the supervisor looks at (WIRE.md, 'Pool'), and the order in which they count. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .config import SupervisorConfig
from .states import State


class Supervised(Protocol):
    """A worker, as the supervisor sees it. Times are monotonic, in seconds."""

    served: int
    up_since: float
    idle_since: float

    @property
    def busy(self) -> bool:
        """Whether a request is running."""
        ...


def limit_reached(worker: Supervised, limits: SupervisorConfig, now: float, memory: Callable[[], int]) -> State | None:
    """Return the state of the first limit that a worker has reached: its age, its idleness, its memory; else None.

    `memory`: gives its bytes of RSS; not called when nobody wants to know. A worker that has served nobody is never
    idle for too long: the one that took its place would be so next.
    """
    if limits.ttl and now - worker.up_since >= limits.ttl:
        return State.TTL_REACHED
    if limits.idle_ttl and worker.served and not worker.busy and now - worker.idle_since >= limits.idle_ttl:
        return State.IDLE_TTL_REACHED
    if limits.max_worker_memory and memory() >= limits.max_worker_memory * 1024 * 1024:
        return State.MAX_MEMORY_REACHED
    return None
