"""The `status` plugin: GET /health, /ready and /jobs, as RoadRunner has them, for probes and load balancers.

It answers from before the first plugin starts until after the last one has ended. While the host stops, /ready has the
code of an unavailable plugin, and /health stays 200 (as RoadRunner's since 2025): an orchestrator must not kill a host
that still drains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from anyio.abc import TaskStatus

from ..container.errors import HostError
from ..container.health import HealthCheck, ReadinessCheck, ReadinessChecks
from ..container.net.listening import Addresses, listen_addresses
from ..container.protocols import Collect, Configurer, JobPipelines, Logger
from .checks import CheckReport, Checks
from .config import StatusConfig
from .site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

STOPPING: Final = "service is shutting down"


class StatusPlugin:
    """Runs the checks of every HealthCheck and ReadinessCheck. Without its section the plugin is disabled."""

    name = "status"
    config_model = StatusConfig

    def __init__(self) -> None:
        self._pipelines: list[JobPipelines] = []

    def init(self, config: Configurer, log: Logger) -> None:
        """Read the section. Raises PluginDisabled without one, ConfigError for a wrong one."""
        section = config.section(self.name, StatusConfig)
        self._unavailable_code = section.unavailable_status_code
        self._health = Checks("health", log, timeout=section.check_timeout, code=self._unavailable_code)
        self._readiness = Checks("readiness", log, timeout=section.check_timeout, code=self._unavailable_code)
        self._host_stops = False
        self.site = Site(listen_addresses(section.address, "status.address"), log)
        self.site.add("/health", self._answer_health)
        self.site.add("/ready", self._answer_ready)
        self.site.add("/jobs", self._answer_jobs)

    def collects(self) -> Sequence[Collect[Any]]:
        """Collect every plugin with a check, or with pipelines."""
        return (
            Collect(HealthCheck, lambda plugin: self._health.add(plugin.name, plugin.health_check)),
            Collect(ReadinessCheck, lambda plugin: self._readiness.add(plugin.name, plugin.readiness_check)),
            Collect(JobPipelines, self._pipelines.append),
            Collect(ReadinessChecks, lambda plugin: self._readiness.add_source(plugin.readiness_checks)),
        )

    def listens(self) -> Sequence[Addresses]:
        """Return the addresses of the checks."""
        return [self.site.addresses]

    def rpc(self) -> StatusRPC:
        """Return the methods served as `status.…`."""
        return StatusRPC(self._health, self._readiness)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until `stop`, which is called after the others have ended. Raises ListenError."""
        await self.site.serve(task_status=task_status)

    def host_stopping(self) -> None:
        """From now on answer that the host stops, without a check."""
        self._host_stops = True

    async def stop(self) -> None:
        """Let `serve` return."""
        await self.site.stop()

    async def _answer_health(self, request: Request) -> Response:
        plugins = request.query_params.getlist("plugin")
        if self._host_stops:
            return self._response(self._health.same_for_all(STOPPING, 200, plugins))
        return self._response(await self._health.report(plugins))

    async def _answer_ready(self, request: Request) -> Response:
        plugins = request.query_params.getlist("plugin")
        if self._host_stops:
            return self._response(
                self._readiness.same_for_all(STOPPING, self._unavailable_code, plugins), self._unavailable_code
            )
        return self._response(await self._readiness.report(plugins))

    async def _answer_jobs(self, _: Request) -> Response:
        return _json([stat for plugin in self._pipelines for stat in plugin.job_pipelines()])

    def _response(self, reports: list[CheckReport], code: int = 200) -> Response:
        if any(report.status_code >= 500 for report in reports):
            code = self._unavailable_code
        return _json([report._asdict() for report in reports], code)


class StatusRPC:
    """RoadRunner's methods: `{"code": 200, "message": ""}` of one plugin."""

    def __init__(self, health: Checks, readiness: Checks) -> None:
        self._health = health
        self._readiness = readiness

    async def status(self, plugin: str) -> dict[str, Any]:
        """Return the result of a plugin's health check."""
        return await _status_of(self._health, plugin)

    async def ready(self, plugin: str) -> dict[str, Any]:
        """Return the result of a plugin's readiness check."""
        return await _status_of(self._readiness, plugin)


def _json(value: object, code: int = 200) -> Response:
    from starlette.responses import Response

    return Response(msgspec.json.encode(value), code, {"cache-control": "no-store"}, "application/json")


async def _status_of(checks: Checks, plugin: str) -> dict[str, Any]:
    if plugin not in checks:
        raise HostError(f"no such plugin: {plugin}")
    return (await checks.status(plugin))._asdict()
