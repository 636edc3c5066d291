"""The driver `nats`: makes queues on NATS JetStream."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from anyio.abc import TaskStatus
from msgspec import Struct
from msgspec.structs import replace

from ....container.errors import ConfigError
from ....container.protocols import Configurer
from ...protocols import PipelineSettings
from .config import NatsConfig, NatsPipeline

if TYPE_CHECKING:
    from .queue import NatsQueue


class NatsDriver:
    """The plugin object: the section `nats` in rr.yaml."""

    name = "nats"
    config_model = NatsConfig
    job_driver: ClassVar[str] = "nats"
    pipeline_model: ClassVar[type[Struct]] = NatsPipeline
    ignored_keys: ClassVar[dict[str, str]] = {
        "deliver_new": "the consumer begins with the oldest job, so that none is left out",
        "rate_limit": "`prefetch` limits what a host holds",
        "delete_stream_on_stop": "the stream keeps its jobs",
        "consume_all": "a message that is not a job becomes a dead letter",
        "delete_after_ack": "the stream deletes each job after its acknowledgement",
    }

    def __init__(self, config: NatsConfig | None = None) -> None:
        self._servers = config
        self._in_use: dict[tuple[str, str], str] = {}

    def init(self, config: Configurer) -> None:
        """Read the section. Raises PluginDisabled without one, ConfigError for a bad one."""
        self._servers = config.section(self.name, NatsConfig)
        _check(self._servers)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Do nothing: each queue has its connection."""
        task_status.started()

    async def stop(self) -> None:
        """Do nothing."""

    def queue(self, settings: PipelineSettings) -> NatsQueue:
        """Return the queue of a stream. Raises ConfigError without nats-py, and for the stream of another pipeline."""
        _check(self._servers or NatsConfig())
        from .queue import NatsQueue  # here, because a host without such a pipeline does not need it

        config: NatsPipeline = settings.config
        stream = config.stream or settings.name
        pipeline = replace(config, stream=stream, subject=config.subject or stream)
        places = {"stream": pipeline.stream, "subject": pipeline.subject}
        for key, value in places.items():
            if (key, value) in self._in_use:
                raise ConfigError(f"is {value!r}, the {key} of the pipeline {self._in_use[key, value]}", key=key)
        self._in_use |= dict.fromkeys(places.items(), settings.name)

        def closed() -> None:
            for place in places.items():
                self._in_use.pop(place, None)

        return NatsQueue(self._servers or NatsConfig(), replace(settings, config=pipeline), closed)


def _check(servers: NatsConfig) -> None:
    """Raise ConfigError without nats-py, and for files that cannot be read."""
    try:
        for module in ("nats.aio.client", *(("nkeys",) if servers.credentials else ())):
            importlib.import_module(module)
    except ImportError as error:
        raise ConfigError("needs nats-py", key="nats", hint="pip install 'rrpy[nats]'") from error
    servers.context()
    if servers.credentials:
        try:
            Path(servers.credentials).read_bytes()
        except OSError as error:
            reason = f"is {servers.credentials!r}, which cannot be read"
            raise ConfigError(reason, key="nats.credentials", hint=error.strerror or "") from error
