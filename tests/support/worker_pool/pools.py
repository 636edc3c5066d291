"""Pools for tests: the zoo's workers, a log that can be waited for, and waiting by deadline."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from rrpy.container.net.address import parse_address
from rrpy.worker_pool.config import PoolConfig
from rrpy.worker_pool.pool import WorkerPool
from rrpy.worker_pool.relays import Relay
from rrpy.worker_pool.spawn import Launch

ZOO = Path(__file__).parent / "zoo"
DEADLINE = 20.0


class RecordingLog:
    """A Logger that keeps its lines: (level, message, keys)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []
        self._grown = asyncio.Event()

    def _add(self, level: str, message: str, keys: dict[str, Any]) -> None:
        self.lines.append((level, message, keys))
        self._grown.set()

    def debug(self, message: str, /, **keys: object) -> None:
        self._add("debug", message, keys)

    def info(self, message: str, /, **keys: object) -> None:
        self._add("info", message, keys)

    def warning(self, message: str, /, **keys: object) -> None:
        self._add("warning", message, keys)

    def error(self, message: str, /, **keys: object) -> None:
        self._add("error", message, keys)

    def exception(self, message: str, /, **keys: object) -> None:
        self._add("exception", message, keys)

    def enabled(self, level: str) -> bool:
        return True

    def keys(self, message: str) -> list[dict[str, Any]]:
        return [keys for _, found, keys in self.lines if found == message]

    async def seen(self, message: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait until the message has been logged this often; return its keys."""
        async with asyncio.timeout(DEADLINE):
            while len(self.keys(message)) < times:
                self._grown.clear()
                await self._grown.wait()
        return self.keys(message)


def beast(name: str) -> list[str]:
    """The command of a worker of the zoo."""
    return [sys.executable, str(ZOO / f"{name}.py")]


def sdk(handler: str) -> list[str]:
    """The command of a worker made with the SDK from tests/support/worker/pool_handlers.py."""
    return [sys.executable, "-m", "rrpy.worker", f"pool_handlers:{handler}"]


RELAYS = ["pipes", "tcp", "unix"]


def pool(
    command: list[str],
    log: RecordingLog | None = None,
    env: dict[str, str] | None = None,
    relay: Relay | None = None,
    **config: Any,
) -> WorkerPool:
    """A pool, to be entered, of two workers unless `num_workers` says otherwise."""
    paths = {"PYTHONPATH": str(Path(__file__).parents[1] / "worker")}
    address = {"RR_RELAY": str(relay.address) if relay is not None else "pipes"}
    launch = Launch(command, {**os.environ, **paths, **address, **(env or {})}, relay=relay)
    return WorkerPool(PoolConfig(**{"num_workers": 2, **config}), launch, log or RecordingLog())


@asynccontextmanager
async def listening(kind: str, folder: Path, log: RecordingLog | None = None) -> AsyncIterator[Relay | None]:
    """A relay of this kind, None for pipes."""
    if kind == "pipes":
        yield None
        return
    address = parse_address("tcp://127.0.0.1:0" if kind == "tcp" else f"unix://{folder}/relay.sock")
    async with Relay(address, log or RecordingLog()) as relay:
        yield relay


async def until(holds: Callable[[], object]) -> None:
    """Wait by deadline for what nobody announces."""
    async with asyncio.timeout(DEADLINE):
        while not holds():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)


def running(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
