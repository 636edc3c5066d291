"""The driver `nats`: makes queues on NATS JetStream."""

from __future__ import annotations

from typing import ClassVar

from anyio.abc import TaskStatus
from msgspec import Struct

from ....container.errors import ConfigError
from ....container.protocols import Configurer
from ...protocols import PipelineSettings
from .config import NatsConfig, NatsPipeline
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
        self._places: dict[str, str] = {}

    def init(self, config: Configurer) -> None:
        """Read the section. Raises PluginDisabled without one, ConfigError for a bad one."""
        self._servers = config.section(self.name, NatsConfig)
        self._servers.context()

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Do nothing: each queue has its connection."""
        task_status.started()

    async def stop(self) -> None:
        """Do nothing."""

    def queue(self, settings: PipelineSettings) -> NatsQueue:
        """Return the queue of a pipeline. Raises ConfigError without nats-py, and for two pipelines of one stream."""
        try:
            import nats.aio.client  # noqa: F401
        except ImportError as error:
            raise ConfigError("needs nats-py", key="driver", hint="pip install 'rrpy[nats]'") from error
        pipeline: NatsPipeline = settings.config
        for key, value in (("stream", pipeline.stream), ("subject", pipeline.subject_name)):
            other = self._places.setdefault(f"{key} {value}", settings.name)
            if other != settings.name:
                raise ConfigError(f"the pipeline {other} has the {key} {value}", key=key)
        return NatsQueue(self._servers or NatsConfig(), settings)
