"""What the worker pools and the plugins that use them know of each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

import msgspec

from .config import PoolConfig


class Payload(msgspec.Struct, frozen=True):
    """What goes to a worker and what comes back: a context (most often JSON) and a body. Both may be empty."""

    context: bytes = b""
    body: bytes = b""


class WorkerInfo(msgspec.Struct, frozen=True, rename="camel"):
    """A worker as RPC and the command line show it (WIRE.md, 'Methods every host serves').

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
    """What a pool is doing now, and what it has done.

    `workers`: processes that can work or are at work. `waiting`: requests that wait for a worker. `running`: requests
    that a worker has. `served`: requests answered so far, by all workers that there ever were. `no_free_workers`:
    requests refused because no worker was free or alive.
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

        Raises SoftError (the worker said no and lives on) or another PoolError (no worker, broken worker).
        """
        ...

    def submit(self, make: Callable[[], Payload], done: Callable[[Payload | Exception], None]) -> None:
        """Run one request without a task: `make` makes it when a worker is free, `done` gets the answer or the error.

        `done` may be called before this returns, and must not raise. Raises what `exec` raises before it waits.
        """
        ...

    def stream(self, payload: Payload) -> AbstractAsyncContextManager[AsyncIterator[Payload]]:
        """Run one request whose answer comes in parts: `async with pool.stream(payload) as parts`.

        The parts are iterated as they come; leaving before the last one cancels the rest. An answer that is no stream
        is one part. Entering and iterating raise what `exec` raises.
        """
        ...

    @property
    def full(self) -> bool:
        """Whether one more request would fail for `max_queue_size`."""
        ...

    @property
    def uid(self) -> int | None:
        """The system user that the workers run as, None for the host's own."""
        ...

    def workers(self) -> Sequence[WorkerInfo]:
        """Return what the pool's workers are doing now."""
        ...

    def info(self) -> PoolInfo:
        """Return what the pool as a whole is doing now."""
        ...

    async def reset(self) -> None:
        """Replace every worker; no request fails."""
        ...

    async def add_worker(self) -> None:
        """Add one worker, for good, and return when it is up."""
        ...

    async def remove_worker(self) -> None:
        """Take one worker away, for good; it finishes its request. Raises PoolError for the last one."""
        ...


@runtime_checkable
class PoolFactory(Protocol):
    """The `server` plugin, as its users see it: they ask for this type in `init`."""

    def new_pool(self, config: PoolConfig, env: Mapping[str, str], *, name: str) -> AbstractAsyncContextManager[Pool]:
        """Return a pool to be entered: entering spawns the workers, leaving destroys them.

        `env` is what the plugin adds to the workers' environment; `name` is the plugin's, for the log.
        """
        ...


@runtime_checkable
class RPCEndpoint(Protocol):
    """The RPC plugin, as the pool sees it: workers are told its address in `RR_RPC`."""

    @property
    def rpc_address(self) -> str:
        """The address that is served, as a URL: `tcp://127.0.0.1:6001` or `unix:///path`."""
        ...


@runtime_checkable
class WorkerOwner(Protocol):
    """A plugin that owns workers and shows them to `informer`."""

    name: str

    def workers(self) -> Sequence[WorkerInfo]:
        """Return the workers' states; empty when there is none."""
        ...


@runtime_checkable
class Resettable(Protocol):
    """A plugin whose workers `resetter` can replace."""

    name: str

    async def reset(self) -> None:
        """Replace every worker."""
        ...


@runtime_checkable
class Scalable(Protocol):
    """A plugin whose pool `informer` can make larger and smaller, and ask for its figures."""

    name: str

    def pool_info(self) -> PoolInfo | None:
        """Return the pool's figures, None when it is not up."""
        ...

    async def add_worker(self) -> None:
        """Add one worker. Raises PoolError when it does not come up, or there are as many as there may be."""
        ...

    async def remove_worker(self) -> None:
        """Take one worker away. Raises PoolError for the last one."""
        ...
