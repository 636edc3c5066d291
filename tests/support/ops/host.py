"""A host with `status` and `metrics` on free ports, and what a probe and Prometheus get there."""

from __future__ import annotations

from typing import Any

import httpx
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from support.container.host import Host
from support.waiting import TIMEOUT

SECTIONS: dict[str, Any] = {"status": {"address": "127.0.0.1:0"}, "metrics": {"address": "127.0.0.1:0"}}
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def url(host: Host, plugin: str) -> str:
    """Where a plugin of the host serves HTTP."""
    (line,) = host.wait_for("HTTP server listens", logger=plugin)
    return f"http://{line['address'].removeprefix('tcp://')}"


def probe(host: Host, path: str, method: str = "GET") -> httpx.Response:
    """Ask `status`."""
    return httpx.request(method, url(host, "status") + path, timeout=TIMEOUT)


def scrape(host: Host, accept: str = "") -> dict[str, Metric]:
    """Ask `metrics`, as Prometheus does, and return its families by name."""
    page = httpx.get(url(host, "metrics") + "/metrics", headers={"accept": accept} if accept else {}, timeout=TIMEOUT)
    assert page.status_code == 200
    parse = openmetrics if accept else plain
    return {family.name: family for family in parse(page.text)}


def number(families: dict[str, Metric], sample: str, **labels: str) -> float:
    """Return the value of one sample, 0 where it is not there."""
    for family in families.values():
        for each in family.samples:
            if each.name == sample and each.labels == labels:
                return each.value
    return 0
