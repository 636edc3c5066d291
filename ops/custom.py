"""Custom metrics: made from `metrics.collect` or by `metrics.Declare`, counted by workers over RPC.

As in RoadRunner, a counter is exposed under the name that it was given. Prometheus' client for Python would append
`_total`; Prometheus itself demands that in the OpenMetrics format only. So a counter without the ending is exposed as
`unknown`, which `rate()` takes too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram, Metric, Summary

from ..container.errors import HostError
from .config import MetricConfig

MAX_SERIES: Final = 10_000
"""Most label combinations of one metric: a worker that puts an id into a label would fill the host's memory."""

_KINDS: Final[dict[str, Any]] = {"counter": Counter, "gauge": Gauge, "histogram": Histogram, "summary": Summary}
_TOTAL: Final = "_total"
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_RESERVED: Final = ("le", "quantile")


class CustomMetric:
    """One metric; a collector for a registry. Raises HostError for a malformed name, label or bucket."""

    def __init__(self, name: str, config: MetricConfig) -> None:
        self.name = name
        self.kind = config.type
        self._full = "_".join(part for part in (config.namespace, config.subsystem, name) if part)
        self._labels = tuple(config.labels)
        self._series: set[tuple[str, ...]] = set()
        options = {"buckets": config.buckets} if config.type == "histogram" and config.buckets else {}
        try:
            _check(self._full, self._labels)
            self._metric = _KINDS[config.type](
                name,
                config.help,
                self._labels,
                namespace=config.namespace,
                subsystem=config.subsystem,
                registry=None,
                **options,
            )
        except ValueError as error:
            raise HostError(f"the metric {name} cannot be made: {_lower(str(error))}") from None

    def collect(self) -> Iterable[Metric]:
        """Return the metric's samples."""
        for family in self._metric.collect():
            if self.kind != "counter" or self._full.endswith(_TOTAL):
                yield family
                continue
            bare = Metric(self._full, family.documentation, "unknown")
            bare.samples = [sample._replace(name=self._full) for sample in family.samples if _is_total(sample.name)]
            yield bare

    def add(self, value: float, labels: Sequence[str]) -> None:
        """Add to a gauge or a counter; a counter takes no negative value."""
        series = self._series_of("added to", ("counter", "gauge"), labels)
        if self.kind == "counter" and not 0 <= value < math.inf:
            raise HostError(f"the counter {self.name} only goes up, so {value:g} cannot be added")
        series.inc(value)

    def sub(self, value: float, labels: Sequence[str]) -> None:
        """Subtract from a gauge."""
        self._series_of("subtracted from", ("gauge",), labels).dec(value)

    def set(self, value: float, labels: Sequence[str]) -> None:
        """Set a gauge."""
        self._series_of("set", ("gauge",), labels).set(value)

    def observe(self, value: float, labels: Sequence[str]) -> None:
        """Add a value to a histogram or a summary."""
        self._series_of("observed", ("histogram", "summary"), labels).observe(value)

    def _series_of(self, done: str, kinds: Sequence[str], labels: Sequence[str]) -> Any:
        """Return the metric with these labels. `done`: the change, as a participle, for the error. Raises HostError."""
        if self.kind not in kinds:
            raise HostError(f"{self.name} is a {self.kind}; only a {' or a '.join(kinds)} can be {done}")
        if len(labels) != len(self._labels):
            wanted = ", ".join(self._labels) or "none"
            raise HostError(f"{self.name} has {len(self._labels)} labels ({wanted}), and {len(labels)} were given")
        if not labels:
            return self._metric
        series = tuple(labels)
        if series not in self._series:
            if len(self._series) >= MAX_SERIES:
                raise HostError(f"{self.name} has {MAX_SERIES} combinations of labels already, which is the limit")
            self._series.add(series)
        return self._metric.labels(*series)


def _check(name: str, labels: Sequence[str]) -> None:
    """Raise ValueError for a name or label that the client takes and Prometheus does not."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name: letters, digits and underscores, and no digit first")
    for label in labels:
        if not _LABEL.fullmatch(label) or label.startswith("__"):
            raise ValueError(f"{label!r} is not a label: letters, digits and underscores, and no digit or __ first")
        if labels.count(label) > 1:
            raise ValueError(f"the label {label} is there twice")
        if label in _RESERVED:
            raise ValueError(f"the label {label} is Prometheus' own")


def _is_total(sample: str) -> bool:
    return sample.endswith(_TOTAL)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
