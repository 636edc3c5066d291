"""The methods `metrics.…`, as RoadRunner's clients call them: workers count what only they know."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..container.errors import HostError
from .config import MetricConfig

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from .custom import Custom


class Value(msgspec.Struct):
    """A value for a metric. `labels`: the values of its labels, in their order."""

    name: str
    value: float = 0.0
    labels: list[str] | None = None


class Definition(msgspec.Struct):
    """What a metric is; the keys are those of `metrics.collect`. PHP writes an empty mapping as an empty list."""

    type: Literal["counter", "gauge", "histogram", "summary"]
    help: str = ""
    namespace: str = ""
    subsystem: str = ""
    labels: list[str] | None = None
    buckets: list[float] | None = None
    objectives: Any = None

    def config(self) -> MetricConfig:
        """Return it as `metrics.collect` would have it."""
        return MetricConfig(
            type=self.type,
            help=self.help,
            namespace=self.namespace,
            subsystem=self.subsystem,
            labels=self.labels or [],
            buckets=self.buckets or [],
        )


class Declaration(msgspec.Struct):
    """A new metric and its name."""

    name: str
    collector: Definition


class MetricsRPC:
    """Every method returns true, or says in one sentence what is wrong."""

    def __init__(self, metrics: MutableMapping[str, Custom], registry: CollectorRegistry) -> None:
        self._metrics = metrics
        self._registry = registry

    def add(self, value: Value) -> bool:
        """Add to a counter or a gauge."""
        self._find(value.name).add(value.value, value.labels or ())
        return True

    def sub(self, value: Value) -> bool:
        """Subtract from a gauge."""
        self._find(value.name).sub(value.value, value.labels or ())
        return True

    def set(self, value: Value) -> bool:
        """Set a gauge."""
        self._find(value.name).set(value.value, value.labels or ())
        return True

    def observe(self, value: Value) -> bool:
        """Give a histogram or a summary one more value."""
        self._find(value.name).observe(value.value, value.labels or ())
        return True

    def declare(self, declaration: Declaration) -> bool:
        """Make a metric. The error for one that is there already has RoadRunner's words, which its clients look for."""
        from .custom import Custom

        if declaration.name in self._metrics:
            raise HostError(f"tried to register existing collector with the name `{declaration.name}`")
        metric = Custom(declaration.name, declaration.collector.config())
        register(self._registry, metric)
        self._metrics[metric.name] = metric
        return True

    def unregister(self, name: str) -> bool:
        """Forget a metric and its values."""
        self._registry.unregister(self._find(name))
        del self._metrics[name]
        return True

    def _find(self, name: str) -> Custom:
        if name not in self._metrics:
            raise HostError(f"undefined collector {name}, try first Declare the desired collector")
        return self._metrics[name]


def register(registry: CollectorRegistry, metric: Custom) -> None:
    """Register a metric. Raises HostError for a name that the host, or another one, has."""
    try:
        registry.register(metric)
    except ValueError:
        raise HostError(
            f"the metric {metric.name} cannot be made: its name, or one that it stands for, is taken"
        ) from None
