"""The `metrics` plugin: GET /metrics for Prometheus, with the metrics of every plugin.

A plugin shows its metrics by the method `metrics_collectors()`. It is called once, after every `init` and before the
first `serve`, and only where rr.yaml has the section `metrics`: a plugin starts to count at that call.

What can still fail: a collector that blocks holds the event loop for as long.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import anyio
from anyio.abc import TaskStatus

from ..container.errors import ConfigError, HostError
from ..container.net.listening import Addresses, listen_addresses
from ..container.protocols import Collect, Configurer, Logger
from ..container.version import VERSION
from .config import MetricsConfig
from .lag import watch_lag
from .metrics_rpc import MetricsRPC, register
from .site import Site
from .status import StatusPlugin

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Histogram, Metric
    from prometheus_client.registry import Collector

    from .custom import CustomMetric

PATH = "/metrics"
_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@runtime_checkable
class MetricsProvider(Protocol):
    """A plugin with metrics."""

    name: str

    def metrics_collectors(self) -> Sequence[Collector]:
        """Return prometheus_client's collectors, made with `registry=None`. Each request calls them from now on."""
        ...


class MetricsPlugin:
    """Shows every plugin's metrics. Without its section the plugin is disabled, and nothing is counted."""

    name = "metrics"
    config_model = MetricsConfig

    def init(self, config: Configurer, log: Logger, status: StatusPlugin | None = None) -> None:
        """Read the section. Raises PluginDisabled without one, ConfigError for a wrong one.

        `status`: the plugin whose HTTP server serves /metrics too, where both have the same address.
        """
        section = config.section(self.name, MetricsConfig)
        from prometheus_client import CollectorRegistry, disable_created_metrics

        disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each metric, without use
        self._log = log
        self._custom: dict[str, CustomMetric] = {}
        self._registry = CollectorRegistry(auto_describe=True)
        self._lag = _register_own(self._registry)
        self._declare(section)
        addresses = listen_addresses(section.address, "metrics.address")
        self._shared_site = status.site if status is not None and addresses.is_same(status.site.addresses) else None
        self._site = self._shared_site or Site(addresses, log)
        self._stopped = anyio.Event()

    def collects(self) -> Sequence[Collect[Any]]:
        """Collect every plugin with metrics."""
        return (Collect(MetricsProvider, self._add),)

    def listens(self) -> Sequence[Addresses]:
        """Return the addresses of the numbers; none where the plugin `status` listens there."""
        return [] if self._shared_site is not None else [self._site.addresses]

    def rpc(self) -> MetricsRPC:
        """Return the methods served as `metrics.…`."""
        return MetricsRPC(self._custom, self._registry)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until `stop`, which is called after the others have ended. Raises ListenError."""
        from prometheus_client import make_asgi_app

        self._site.add(PATH, _Application(make_asgi_app(self._registry)))
        async with anyio.create_task_group() as group:
            group.start_soon(watch_lag, self._lag.observe, name="loop lag")
            try:
                if self._shared_site is None:
                    await self._site.serve(task_status=task_status)
                else:
                    task_status.started()
                    await self._stopped.wait()
            finally:
                self._site.remove(PATH)
                group.cancel_scope.cancel()

    def host_stopping(self) -> None:
        """Serve on until the others have ended: the last numbers count too."""

    async def stop(self) -> None:
        """Let `serve` return."""
        self._stopped.set()
        if self._shared_site is None:
            await self._site.stop()

    def _declare(self, section: MetricsConfig) -> None:
        if not section.collect:
            return
        from .custom import CustomMetric

        for name, metric in section.collect.items():
            try:
                self._custom[name] = custom = CustomMetric(name, metric)
                register(self._registry, custom)
            except HostError as error:
                raise ConfigError("is wrong", key=f"metrics.collect.{name}", hint=str(error)) from None
            if metric.objectives:
                self._log.warning("objectives are not computed; a histogram has quantiles", metric=name)

    def _add(self, plugin: MetricsProvider) -> None:
        for collector in plugin.metrics_collectors():
            if not callable(getattr(collector, "collect", None)):
                raise HostError(
                    f"plugin {plugin.name}: metrics_collectors() returned {collector!r}, which is not a collector"
                )
            try:
                self._registry.register(_Guarded(collector, plugin.name, self._log))
            except ValueError as error:
                names = ", ".join(sorted(getattr(error, "duplicates", ()))) or str(error)
                raise HostError(f"plugin {plugin.name} has metrics whose names are taken: {names}") from None


def _register_own(registry: CollectorRegistry) -> Histogram:
    """Register the host's own metrics, and return that of the loop's lag."""
    from prometheus_client import Gauge, GCCollector, Histogram, PlatformCollector, ProcessCollector

    for make in (ProcessCollector, PlatformCollector, GCCollector):
        make(registry=registry)
    began = time.monotonic()
    uptime = Gauge("rr_uptime_seconds", "Seconds since the host was started.", registry=registry)
    uptime.set_function(lambda: time.monotonic() - began)
    build = Gauge("rr_build_info", "The host's version; always 1.", ["version"], registry=registry)
    build.labels(VERSION).set(1)
    return Histogram(
        "rr_loop_lag_seconds",
        "How late the event loop is, sampled twice a second.",
        buckets=_LAG_BUCKETS,
        registry=registry,
    )


class _Guarded:
    """A plugin's collector. Its failure leaves the other metrics alone, and is logged once until it works again."""

    def __init__(self, collector: Collector, plugin: str, log: Logger) -> None:
        self._collector = collector
        self._plugin = plugin
        self._log = log
        self._failed = False
        describe = getattr(collector, "describe", None)
        if describe is not None:
            self.describe = describe

    def collect(self) -> Iterable[Metric]:
        try:
            families = list(self._collector.collect())
        except Exception:
            if not self._failed:
                self._log.exception("a collector failed", plugin=self._plugin)
            self._failed = True
            return []
        self._failed = False
        return families


class _Application:
    """An ASGI application as an object; Starlette would call a function with a Request."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from prometheus_client.exposition import choose_encoder

        kept = []
        for name, value in scope["headers"]:
            try:
                if name == b"accept":
                    choose_encoder(value.decode())
            except (TypeError, ValueError):  # a header that it cannot read counts as absent
                continue
            kept.append((name, value))
        await self._app({**scope, "headers": kept}, receive, send)
