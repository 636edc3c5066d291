"""Pools for tests, with the workers of the zoo or of the SDK."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
from support.log import Log

from rrpy.container.net.listening import listen_addresses
from rrpy.worker_pool.config import PoolConfig
from rrpy.worker_pool.pool import WorkerPool
from rrpy.worker_pool.relays import Relay
from rrpy.worker_pool.spawn import Launch

ZOO = Path(__file__).parent / "zoo"


def beast(name: str) -> list[str]:
    """The command of a worker of the zoo."""
    return [sys.executable, str(ZOO / f"{name}.py")]


def sdk(handler: str) -> list[str]:
    """The command of a worker made with the SDK from tests/support/worker/pool_handlers.py."""
    return [sys.executable, "-m", "rrpy.worker", f"pool_handlers:{handler}"]


RELAYS = ["pipes", "tcp", "unix"]


def pool(
    command: list[str],
    log: Log | None = None,
    env: dict[str, str] | None = None,
    relay: Relay | None = None,
    **config: Any,
) -> WorkerPool:
    """A pool, to be entered, of two workers unless `num_workers` says otherwise."""
    paths = {"PYTHONPATH": str(Path(__file__).parents[1] / "worker")}
    address = {"RR_RELAY": str(relay.address) if relay is not None else "pipes"}
    launch = Launch(command, {**os.environ, **paths, **address, **(env or {})}, relay=relay)
    return WorkerPool(PoolConfig(**{"num_workers": 2, **config}), launch, log or Log())


@asynccontextmanager
async def listening(kind: str, folder: Path, log: Log | None = None) -> AsyncIterator[Relay | None]:
    """A relay of this kind, None for pipes."""
    if kind == "pipes":
        yield None
        return
    address = "tcp://127.0.0.1:0" if kind == "tcp" else f"unix://{folder}/relay.sock"
    async with Relay(listen_addresses(address, "server.relay", urls=True), log or Log()) as relay:
        yield relay


def running(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
