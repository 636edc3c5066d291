"""Queues on NATS, as a host has them, with the states of their connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from rrpy.container.config.fields import decode_field
from rrpy.jobs.drivers.nats.config import NatsConfig, NatsPipeline
from rrpy.jobs.drivers.nats.driver import NatsDriver
from rrpy.jobs.drivers.nats.queue import NatsQueue
from rrpy.jobs.protocols import PipelineSettings


class _Log:
    """Keeps the lines of a log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, message: str, /, **keys: object) -> None:
        self.lines.append(f"{message} {keys.get('reason', '')}".strip())

    warning = info


class Host:
    """A host with one queue. `lines`: what it logs."""

    def __init__(self, servers: NatsConfig, timeout: float, attempts: int, settings: dict[str, Any]) -> None:
        log: Any = _Log()
        self.lines: list[str] = log.lines
        config = msgspec.convert(settings, NatsPipeline, dec_hook=decode_field)
        self.queue: NatsQueue = NatsDriver(servers).queue(PipelineSettings("smtp", config, log, timeout, attempts))

    @property
    def states(self) -> list[str]:
        """The states of the connection, in their order."""
        return [line.split()[2] for line in self.lines]


@asynccontextmanager
async def host(
    servers: str | NatsConfig, stream: str, *, timeout: float = 20.0, attempts: int = 10, **settings: Any
) -> AsyncIterator[Host]:
    """Open a queue, and close it."""
    config = NatsConfig(addr=servers) if isinstance(servers, str) else servers
    made = Host(config, timeout, attempts, {"stream": stream, **settings})
    await made.queue.open()
    try:
        yield made
    finally:
        await made.queue.aclose()
