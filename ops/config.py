"""The sections `status` and `metrics` of rr.yaml, with RoadRunner's keys and ports."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ..container.config.fields import PositiveDuration


class StatusConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The section `status`.

    `address`: `host:port`, `[ipv6]:port`, `unix:///path` or `systemd:NAME`; port 0 picks a free one. `check_timeout`:
    for the checks of one plugin; above it the plugin counts as unavailable. `unavailable_status_code`: the HTTP code
    for that.
    """

    address: str = "127.0.0.1:2114"
    check_timeout: PositiveDuration = PositiveDuration(60)
    unavailable_status_code: Annotated[int, msgspec.Meta(ge=500, le=599)] = 503


class MetricConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One metric of the section `metrics.collect`, under its name.

    `type`: what it counts. `help`: for people. `namespace`, `subsystem`: put in front of the name, with underscores.
    `labels`: the names of its labels. `buckets`: upper bounds of a histogram, empty for Prometheus' own.
    `objectives`: quantiles of a summary, which RoadRunner computes and we do not.
    """

    type: Literal["counter", "gauge", "histogram", "summary"]
    help: str = ""
    namespace: str = ""
    subsystem: str = ""
    labels: list[str] = []
    buckets: list[float] = []
    objectives: dict[float, float] = {}


class MetricsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The section `metrics`.

    `address`: `host:port`, `[ipv6]:port`, `unix:///path` or `systemd:NAME`; port 0 picks a free one; where `status`
    listens there too, one server answers for both. `collect`: metrics of your own, which workers count over RPC.
    """

    address: str = "127.0.0.1:2112"
    collect: dict[str, MetricConfig] = {}
