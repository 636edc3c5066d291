"""The pipelines of a host: each a queue with its settings, and its consumer where this host works its jobs off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import msgspec

from ..container.config.decode import decode
from ..container.errors import ConfigError
from ..container.protocols import Logger
from .config import JobsConfig, PipelineConfig, PipelineOptions, split_config
from .consumer import Consumer, Format
from .counts import Counts
from .job import Job
from .protocols import (
    Done,
    JobDriver,
    JobsError,
    NoSuchPipeline,
    PipelineSettings,
    Queue,
    QueueState,
)
from .stat import PipelineStat


class Pipeline:
    """A queue with its settings. `consumer`: None where this host does not work its jobs off."""

    def __init__(self, name: str, driver: str, queue: Queue, options: PipelineOptions) -> None:
        self.name = name
        self.driver = driver
        self.queue = queue
        self.options = options
        self.counts = Counts()
        self.consumer: Consumer | None = None

    def push(self, jobs: Sequence[Job], done: Done, *, batch: bool = False) -> None:
        """Push jobs; count the result. `batch`: they came together."""
        counts = self.counts
        pushes = counts.batch if batch else counts.single
        pushes.requested += len(jobs)
        began = perf_counter()

        def count(error: JobsError | None) -> None:
            if error is None:
                counts.pushed += len(jobs)
                pushes.latency.add(perf_counter() - began, len(jobs))
            else:
                counts.push_failed += len(jobs)
            done(error)

        self.queue.push(jobs, count)

    def state(self) -> QueueState:
        """Return the figures of the queue."""
        return self.queue.state()

    def stat(self) -> PipelineStat:
        """Return the pipeline for a client."""
        state = self.queue.state()
        return PipelineStat(
            self.name,
            self.driver,
            self.queue.place,
            state.waiting,
            state.delayed,
            state.running,
            self.consumer is not None and not self.consumer.paused,
            self.options.priority,
            state.dead,
            state.connected,
            state.reason,
        )


class Pipelines:
    """The pipelines by name. `drivers`: by name. `formats`: what makes the requests of jobs, by the job's name."""

    def __init__(self, config: JobsConfig, formats: Mapping[str, Format], log: Logger) -> None:
        self._config = config
        self._formats = formats
        self._log = log
        self.drivers: dict[str, JobDriver] = {}
        self.all: dict[str, Pipeline] = {}

    def make(self, prefetch: Callable[[str], int], *, drivers_known: bool) -> None:
        """Make the pipelines of the configuration that are not made yet. Opens nothing. Raises ConfigError.

        `prefetch`: the default of each. `drivers_known`: there are no other drivers; else their pipelines are left out.
        """
        names = self._config.consume
        for name, config in self._config.pipelines.items():
            if name in self.all or (config.driver not in self.drivers and not drivers_known):
                continue
            self.all[name] = self.new(name, config, prefetch(name) if name in names else 0)

    def new(self, name: str, config: PipelineConfig, prefetch: int) -> Pipeline:
        """Return a pipeline that is not among `all` yet. Opens nothing. Raises ConfigError.

        `prefetch`: the default; 0 for one that this host does not consume.
        """
        pipeline = self._new(name, config)
        if prefetch:
            pipeline.consumer = Consumer(
                name,
                config.driver,
                pipeline.queue,
                config.retry,
                pipeline.options.prefetch or prefetch,
                self._formats,
                pipeline.counts,
                self._log,
            )
        return pipeline

    def _new(self, name: str, config: PipelineConfig) -> Pipeline:
        key = f"jobs.pipelines.{name}"
        driver = self.drivers.get(config.driver)
        if driver is None:
            known = ", ".join(sorted(self.drivers))
            hint = "it needs the section nats" if config.driver == "nats" else f"known are {known}"
            raise ConfigError(f"is {config.driver!r}", key=f"{key}.driver", hint=hint)
        own, rest = split_config(config.config)
        for ignored in sorted(rest.keys() & driver.ignored_keys.keys()):
            self._log.warning("key has no effect", key=f"{key}.config.{ignored}", reason=driver.ignored_keys[ignored])
            del rest[ignored]
        options = _decoded(PipelineOptions, own, f"{key}.config")
        settings = PipelineSettings(
            name,
            _decoded(driver.pipeline_model, rest, f"{key}.config"),
            self._log,
            float(self._config.timeout),
            config.retry.attempts,
        )
        try:
            queue = driver.queue(settings)
        except ConfigError as error:
            error.key = f"{key}.config.{error.key}" if error.key else f"{key}.config"
            raise
        return Pipeline(name, config.driver, queue, options)

    def find(self, name: str) -> Pipeline:
        """Return a pipeline. Raises NoSuchPipeline."""
        pipeline = self.all.get(name)
        if pipeline is None:
            raise NoSuchPipeline(name, self.all)
        return pipeline


def _decoded(model: type[msgspec.Struct], value: dict[str, Any], path: str) -> Any:
    """Return a part of the section as its model. Raises ConfigError."""
    result, errors = decode(model, value, path, {})
    if errors:
        raise errors[0]
    return result
