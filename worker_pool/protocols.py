"""What the worker pools and the plugins that use them know of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class Pool(Protocol):
    """A pool of workers that is up."""

    async def exec(self, payload: Payload) -> Payload:
        """Run one request on a free worker and return its answer.

        Raises SoftError (the worker said no and lives on) or another PoolError (no worker, broken worker).
        """
        ...

    def workers(self) -> Sequence[WorkerInfo]:
        """Return what the pool's workers are doing now."""
        ...

    async def reset(self) -> None:
        """Replace every worker; no request fails."""
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
