"""Metrics of one's own: made from `metrics.collect` or by `metrics.Declare`, counted by workers over RPC.

RoadRunner's names hold: a counter is exposed under the name that it was given. Prometheus' client for Python would put
`_total` behind it; Prometheus itself asks for that in the OpenMetrics format only, so that a counter without the ending
goes out as `unknown`, of which `rate()` is as good.
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
"""Label combinations of one metric: a worker that puts an id into a label would fill the host's memory."""

_KINDS: Final[dict[str, Any]] = {"counter": Counter, "gauge": Gauge, "histogram": Histogram, "summary": Summary}
_TOTAL: Final = "_total"
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_RESERVED: Final = ("le", "quantile")


class Custom:
    """One metric. It is a collector, to be registered. Raises HostError for a name, label or bucket that is none."""

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
        series = self._of("added to", ("counter", "gauge"), labels)
        if self.kind == "counter" and not 0 <= value < math.inf:
            raise HostError(f"the counter {self.name} only goes up, so {value:g} cannot be added")
        series.inc(value)

    def sub(self, value: float, labels: Sequence[str]) -> None:
        """Subtract from a gauge."""
        self._of("subtracted from", ("gauge",), labels).dec(value)

    def set(self, value: float, labels: Sequence[str]) -> None:
        """Set a gauge."""
        self._of("set", ("gauge",), labels).set(value)

    def observe(self, value: float, labels: Sequence[str]) -> None:
        """Give a histogram or a summary one more value."""
        self._of("observed", ("histogram", "summary"), labels).observe(value)

    def _of(self, done: str, kinds: Sequence[str], labels: Sequence[str]) -> Any:
        """Return the metric with these labels. `done`: what is to be done with it. Raises HostError."""
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
    """Raise ValueError for what Prometheus does not take everywhere: the client would pass it on."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: letters, digits and underscores, and no digit in front")
    for label in labels:
        if not _LABEL.fullmatch(label) or label.startswith("__"):
            raise ValueError(f"{label!r} is no label: letters, digits and underscores, and no digit or __ in front")
        if labels.count(label) > 1:
            raise ValueError(f"the label {label} is there twice")
        if label in _RESERVED:
            raise ValueError(f"the label {label} is Prometheus' own")


def _is_total(sample: str) -> bool:
    return sample.endswith(_TOTAL)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
