"""The contracts between the worker pools and the plugins that use them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

import msgspec

from .config import PoolConfig


class Payload(msgspec.Struct, frozen=True):
    """A request or an answer: a context (most often JSON) and a body. Both may be empty."""

    context: bytes = b""
    body: bytes = b""


class WorkerInfo(msgspec.Struct, frozen=True, rename="camel"):
    """The state of a worker, as RPC and the command line show it (docs/reference/wire.md).

    `created`: unix nanoseconds. `memory_usage`: bytes of RSS. `cpu_percent`: since the process began.
    """

    pid: int
    status: int
    num_execs: int
    created: int
    memory_usage: int
    cpu_percent: float = msgspec.field(name="CPUPercent")
    command: str = ""
    status_str: str = ""


class PoolInfo(msgspec.Struct, frozen=True):
    """The figures of a pool.

    `workers`: processes that can work or are at work. `waiting`: requests that wait for a worker. `running`: requests
    that a worker has. `served`: requests answered so far, also by workers that are gone. `no_free_workers`: requests
    refused because no worker was free or alive.
    """

    workers: int
    waiting: int
    running: int
    served: int
    no_free_workers: int


class Pool(Protocol):
    """A pool of workers that is up."""

    async def exec(self, payload: Payload) -> Payload:
        """Run one request on a free worker and return its answer.

        Raises SoftError (the worker refused the request and lives on) or another PoolError (no worker, broken worker).
        """
        ...

    def submit(self, make: Callable[[], Payload], done: Callable[[Payload | Exception], None]) -> None:
        """Run one request without a task: `make` makes it when a worker is free, `done` gets the answer or the error.

        `done` may be called before this returns, and must not raise. Raises QueueFull, PoolClosed.
        """
        ...

    def stream(self, payload: Payload) -> AbstractAsyncContextManager[AsyncIterator[Payload]]:
        """Run one request whose answer comes in parts: `async with pool.stream(payload) as parts`.

        Iterate over the parts as they arrive; leaving before the last one cancels the rest. An answer that is not a
        stream is one part. Entering and iterating raise what `exec` raises.
        """
        ...

    @property
    def full(self) -> bool:
        """Whether one more request would fail for `max_queue_size`."""
        ...

    @property
    def ready(self) -> bool:
        """Whether a worker can take a request, now or after its present one."""
        ...

    @property
    def uid(self) -> int | None:
        """The system user that the workers run as, None for the host's own."""
        ...

    def workers(self) -> Sequence[WorkerInfo]:
        """Return the state of each worker."""
        ...

    def info(self) -> PoolInfo:
        """Return the figures of the pool as a whole."""
        ...

    async def reset(self) -> None:
        """Replace every worker; no request fails."""
        ...

    async def add_worker(self) -> None:
        """Add one worker, for good, and return when it is up."""
        ...

    async def remove_worker(self) -> None:
        """Remove one worker, for good; it finishes its request. Raises PoolError for the last one."""
        ...


@runtime_checkable
class PoolFactory(Protocol):
    """The plugin `server`, as its users see it: they ask for this type in `init`."""

    def new_pool(self, config: PoolConfig, env: Mapping[str, str], *, name: str) -> AbstractAsyncContextManager[Pool]:
        """Return a pool to be entered, in `serve`: entering spawns the workers, leaving stops them.

        `env`: added to the workers' environment. `name`: most often the plugin's; the pool's channel in the log, and
        its name for `rrpy workers`, `rrpy reset`, metrics and readiness. May be called in `init`: then clients know
        the name before the pool is up.
        """
        ...


@runtime_checkable
class RPCEndpoint(Protocol):
    """The RPC plugin, as the plugin `server` sees it: workers get its address in `RR_RPC`."""

    @property
    def rpc_address(self) -> str:
        """The address where it listens, as a URL: `tcp://127.0.0.1:6001` or `unix:///path`."""
        ...

    def admit(self, uid: int) -> None:
        """Let the processes of this user connect to its unix socket. Called in `init`, before it serves."""
        ...


class WorkerGroup(Protocol):
    """Workers under one name, as `informer`, `resetter` and `metrics` show them. Every Pool is one."""

    def workers(self) -> Sequence[WorkerInfo]:
        """Return the state of each worker; empty when there is none."""
        ...

    def info(self) -> PoolInfo | None:
        """Return the figures of the group as a whole, None when it is not up."""
        ...

    async def reset(self) -> None:
        """Replace every worker. Raises PoolError when a new one does not come up."""
        ...

    async def add_worker(self) -> None:
        """Add one worker. Raises PoolError when it does not come up, or when there are too many."""
        ...

    async def remove_worker(self) -> None:
        """Remove one worker. Raises PoolError for the last one."""
        ...


@runtime_checkable
class WorkerGroups(Protocol):
    """A plugin with workers. The plugin `server` is one, for the pools that it makes: their plugins need not be."""

    def worker_groups(self) -> Mapping[str, WorkerGroup]:
        """Return the groups by name, which no other plugin may use. Called anew for each request of a client."""
        ...
