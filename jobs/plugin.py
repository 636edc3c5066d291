"""The plugin `jobs`: `init` reads the section, `serve` opens the queues and the workers, `stop` ends in this order.

Pulling ends; the pools end, so that jobs without a worker are given back and the others finish within the grace; then
each queue sends what is settled, and closes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.abc import TaskStatus

from ..container.errors import ConfigError
from ..container.health import FINE, Status, unavailable
from ..container.protocols import Collect, Configurer, Logger
from ..worker_pool import Pool, PoolFactory
from .config import JobsConfig, PipelineConfig
from .job import Headers, Job
from .protocols import Away, Done, JobDriver, JobsError

if TYPE_CHECKING:
    from .consumer import Format
    from .pipelines import Pipeline
    from .rpc import JobsRPC

LEAST_PREFETCH: Final = 32
"""Jobs that a host holds at once by default, at least: so workers go on while answers are flushed to the disk."""
FLUSH: Final = 5.0
"""Seconds that a queue may take to close after the host's grace."""


class JobsPlugin:
    """The plugin object: `jobs` in rr.yaml, in the log and on the RPC bus.

    `formats`: what makes the body of a worker's request, by the name of the job; the payload itself by default.
    """

    name = "jobs"
    config_model = JobsConfig

    def __init__(self, formats: Mapping[str, Format] | None = None) -> None:
        self._formats = formats or {}
        self._pools: dict[str, AbstractAsyncContextManager[Pool]] = {}
        self._stopped = anyio.Event()
        self._serving = False
        self._open: set[Pipeline] = set()
        self._running: Mapping[str, Pool] = {}

    def init(self, config: Configurer, log: Logger, server: PoolFactory | None) -> None:
        """Read the section. Raises PluginDisabled without one, ConfigError for a wrong one."""
        self._config = config.section(self.name, JobsConfig)
        # Here, because a host without the section does not need them.
        from .drivers.memory import MemoryDriver
        from .drivers.sqlite.driver import SQLiteDriver
        from .pipelines import Pipelines

        self._log = log
        if self._config.consume and server is None:
            raise ConfigError("needs the section server", key="jobs.consume")
        self.pipelines = Pipelines(self._config, self._formats, log)
        for driver in (MemoryDriver(), SQLiteDriver()):
            self._add_driver(driver)
        self.pipelines.make(self._prefetch, drivers_known=False)
        if server is not None:
            for pipeline in self._config.consume:
                name, pool = self._config.pool_of(pipeline)
                if name not in self._pools:
                    shown = f"jobs.{name}" if name else self.name
                    self._pools[name] = server.new_pool(pool, {"RR_MODE": "jobs"}, name=shown)

    def collects(self) -> Sequence[Collect[Any]]:
        """Ask for the drivers of other plugins."""
        return (Collect(JobDriver, self._add_driver, outlive=True),)

    def _add_driver(self, driver: JobDriver) -> None:
        self.pipelines.drivers[driver.job_driver] = driver

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Open the queues, then the pools, then pull. Raises ConfigError, JobsError, WorkerBootError."""
        self.pipelines.make(self._prefetch, drivers_known=True)
        async with AsyncExitStack() as queues:
            queues.push_async_callback(self._close_all)
            for pipeline in self.pipelines.all.values():
                await self._open_queue(pipeline)
            async with AsyncExitStack() as stack:
                pools = {name: await stack.enter_async_context(pool) for name, pool in self._pools.items()}
                async with anyio.create_task_group() as group:
                    self._group, self._running = group, pools
                    for name in self._config.consume:
                        self._consume(self.pipelines.find(name), pools[self._config.pipelines[name].pool])
                    self._serving = True
                    task_status.started()
                    await self._stopped.wait()
                    self._serving = False
                    group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                for pipeline in self.pipelines.all.values():
                    if pipeline.consumer is not None:
                        await pipeline.consumer.finish()

    def _consume(self, pipeline: Pipeline, pool: Pool) -> None:
        assert pipeline.consumer is not None
        if pipeline.name in self._config.pipelines:
            pipeline.consumer.resume()
        self._group.start_soon(pipeline.consumer.run, pool, name=f"jobs of {pipeline.name}")

    async def declare(self, values: Mapping[str, str]) -> None:
        """Make a pipeline; it is paused. Raises ConfigError, JobsError.

        It is consumed where the section has one pool.
        """
        config = {key: value for key, value in values.items() if key not in ("name", "driver")}
        if "file" in config:  # workers of another user call this, and root would write where they say
            hint = "the file of a declared pipeline is spool/NAME.db"
            raise ConfigError("is a key of the configuration alone", key="file", hint=hint)
        name = values.get("name", "")
        section = JobsConfig(pipelines={name: PipelineConfig(values.get("driver", "memory"), config)})
        if not self._serving or name in self.pipelines.all:
            raise JobsError(f"the pipeline {name} is there already" if self._serving else "the host does not serve")
        pool = self._running.get("")
        prefetch = max(LEAST_PREFETCH, 2 * len(pool.workers())) if pool is not None else 0
        pipeline = self.pipelines.new(name, section.pipelines[name], prefetch)
        await self._open_queue(pipeline)
        self.pipelines.all[name] = pipeline
        if pool is not None:
            self._consume(pipeline, pool)

    async def destroy(self, name: str) -> None:
        """End a pipeline after the jobs that it holds. What waits is lost in memory, and stays elsewhere."""
        pipeline = self.pipelines.find(name)
        if name in self._config.consume or name in self._config.pipelines:
            raise JobsError(f"the pipeline {name} is in the configuration; pause it, or remove it there")
        del self.pipelines.all[name]
        if pipeline.consumer is not None:
            pipeline.consumer.pause()
            await pipeline.consumer.idle()
            pipeline.consumer.stop()
        await self._close(pipeline)

    async def _close(self, pipeline: Pipeline) -> None:
        if pipeline in self._open:
            self._open.discard(pipeline)
            with anyio.move_on_after(FLUSH, shield=True) as scope:
                await pipeline.queue.aclose()
            if scope.cancelled_caught:
                self._log.warning("queue was cut off", pipeline=pipeline.name, after=f"{FLUSH:g} s")

    async def _close_all(self) -> None:
        async with AsyncExitStack() as closing:
            for pipeline in self._open:
                closing.push_async_callback(self._close, pipeline)

    async def _open_queue(self, pipeline: Pipeline) -> None:
        await pipeline.queue.open()
        self._open.add(pipeline)
        promise = pipeline.queue.promise
        say = self._log.info if promise.power_failure else self._log.warning
        say(f"a push means: the job {promise.text}", pipeline=pipeline.name)

    def _prefetch(self, pipeline: str) -> int:
        _, pool = self._config.pool_of(pipeline)
        return max(LEAST_PREFETCH, 2 * (pool.num_workers or os.cpu_count() or 1))

    async def stop(self) -> None:
        """End the pulling, then let `serve` take down the pools and the queues."""
        for pipeline in self.pipelines.all.values():
            if pipeline.consumer is not None:
                pipeline.consumer.stop()
        self._stopped.set()

    def rpc(self) -> JobsRPC:
        """Return the methods served as `jobs.…`."""
        from .rpc import JobsRPC

        return JobsRPC(self.pipelines, self)

    def job_pipelines(self) -> Sequence[Any]:
        """Return the state of each pipeline, for `informer.Jobs`."""
        return [pipeline.stat() for pipeline in self.pipelines.all.values()]

    def health_check(self) -> Status:
        """Return whether every pipeline can be used."""
        return self._status(list(self.pipelines.all))

    def readiness_check(self) -> Status:
        """Return whether every consumed pipeline can be used."""
        return self._status(self._config.consume)

    def _status(self, names: Sequence[str]) -> Status:
        if not self._serving:
            return unavailable("the jobs plugin does not serve")
        for name in names:
            state = self.pipelines.find(name).state()
            if not state.connected:
                return unavailable(f"the pipeline {name} cannot be used: {state.reason}")
        return FINE

    def metrics_collectors(self) -> Sequence[Any]:
        """Return the numbers of the pipelines, for the plugin `metrics`."""
        from .metrics import JobsCollector  # here, because only a host with metrics needs prometheus_client

        return [JobsCollector(self.pipelines)]

    # For plugins that push jobs.

    def job_refusal(self, pipeline: str) -> JobsError | None:
        """Return the error that a push into a pipeline would get now, None where it would be tried."""
        found = self.pipelines.all.get(pipeline)
        return found.queue.refusal if found is not None else None

    def check_pipeline(self, pipeline: str) -> None:
        """Raise ConfigError for a pipeline that the section does not have."""
        if pipeline not in self._config.pipelines:
            known = ", ".join(self._config.pipelines) or "none"
            raise ConfigError(f"is {pipeline!r}, which is not a pipeline", hint=f"known are {known}")

    def push_job(
        self,
        pipeline: str,
        job_id: str,
        name: str,
        payload: bytes,
        envelope: bytes,
        *,
        headers: Headers,
        priority: int | None,
        delay: float,
        auto_ack: bool,
        done: Done,
    ) -> None:
        """Push one job. `done` is called once, with the error or None, and must not raise."""
        found = self.pipelines.all.get(pipeline)
        if found is None:
            done(Away(f"the pipeline {pipeline} is not there"))
            return
        priority = found.options.priority if priority is None else priority
        due = time.time() + delay if delay > 0 else 0.0
        job = Job(
            job_id,
            name,
            pipeline,
            payload,
            envelope,
            headers=headers,
            priority=priority,
            due=due,
            auto_ack=auto_ack,
        )
        found.push((job,), done)
