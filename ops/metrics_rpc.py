"""The methods `metrics.…`, as RoadRunner's clients call them, by which workers count."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..container.errors import HostError
from .config import MetricConfig

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from .custom import CustomMetric


class Value(msgspec.Struct):
    """A value for a metric. `labels`: the values of its labels, in their order."""

    name: str
    value: float = 0.0
    labels: list[str] | None = None


class Definition(msgspec.Struct):
    """The kind of a metric, with the keys of `metrics.collect`. PHP writes an empty mapping as an empty list."""

    type: Literal["counter", "gauge", "histogram", "summary"]
    help: str = ""
    namespace: str = ""
    subsystem: str = ""
    labels: list[str] | None = None
    buckets: list[float] | None = None
    objectives: Any = None

    def config(self) -> MetricConfig:
        """Return the definition as a value of `metrics.collect`."""
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
    """Each method returns true. Raises HostError, in one sentence, for a wrong argument."""

    def __init__(self, metrics: MutableMapping[str, CustomMetric], registry: CollectorRegistry) -> None:
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
        """Add a value to a histogram or a summary."""
        self._find(value.name).observe(value.value, value.labels or ())
        return True

    def declare(self, declaration: Declaration) -> bool:
        """Make a metric. The error for an existing one has RoadRunner's words, which its clients look for."""
        from .custom import CustomMetric

        if declaration.name in self._metrics:
            raise HostError(f"tried to register existing collector with the name `{declaration.name}`")
        metric = CustomMetric(declaration.name, declaration.collector.config())
        register(self._registry, metric)
        self._metrics[metric.name] = metric
        return True

    def unregister(self, name: str) -> bool:
        """Remove a metric and its values."""
        self._registry.unregister(self._find(name))
        del self._metrics[name]
        return True

    def _find(self, name: str) -> CustomMetric:
        if name not in self._metrics:
            raise HostError(f"undefined collector {name}, try first Declare the desired collector")
        return self._metrics[name]


def register(registry: CollectorRegistry, metric: CustomMetric) -> None:
    """Register a metric. Raises HostError for a name that another metric has."""
    try:
        registry.register(metric)
    except ValueError:
        raise HostError(
            f"the metric {metric.name} cannot be made: its name, or one derived from it, is taken"
        ) from None
