"""The sections `status` and `metrics` of rr.yaml, with RoadRunner's keys and ports."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ..container.config.fields import PositiveDuration
from ..container.net.address import ADDRESS_FORMS


class StatusConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Health checks, for Kubernetes and load balancers: GET /health and /ready."""

    address: Annotated[
        str | list[str],
        Meta(description=f"where the checks are: {ADDRESS_FORMS} There is no password."),
    ] = "127.0.0.1:2114"
    check_timeout: Annotated[
        PositiveDuration,
        Meta(description="for the check of one plugin. After it the plugin counts as unavailable."),
    ] = PositiveDuration(60)
    unavailable_status_code: Annotated[
        int, Meta(ge=500, le=599, description="the HTTP status when a plugin is unavailable")
    ] = 503


class MetricConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A metric of your own."""

    type: Annotated[
        Literal["counter", "gauge", "histogram", "summary"], Meta(description="what it counts", examples=["counter"])
    ]
    help: Annotated[str, Meta(description="the text that Prometheus shows for it")] = ""
    namespace: Annotated[str, Meta(description="comes before the name, with an underscore")] = ""
    subsystem: Annotated[str, Meta(description="comes between the namespace and the name, with underscores")] = ""
    labels: Annotated[list[str], Meta(description="the names of its labels")] = []
    buckets: Annotated[
        list[float], Meta(description="upper bounds of a histogram, rising; empty means 0.005 to 10, for seconds")
    ] = []
    objectives: Annotated[
        dict[float, float],
        Meta(description="quantiles of a summary. RoadRunner computes them; this host only reads the key."),
    ] = {}


class MetricsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers, for Prometheus: GET /metrics."""

    address: Annotated[
        str | list[str],
        Meta(
            description=f"where the numbers are: {ADDRESS_FORMS} "
            "Where it is `status.address`, one server answers for both."
        ),
    ] = "127.0.0.1:2112"
    collect: Annotated[
        dict[str, MetricConfig],
        Meta(description="metrics of your own, by name: `{orders_total: {type: counter, help: Orders}}`"),
    ] = {}
