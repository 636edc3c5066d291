from __future__ import annotations

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from rrpy.container.errors import HostError
from rrpy.ops.metrics_rpc import Declaration, MetricsRPC, Value


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry(auto_describe=True)


@pytest.fixture
def methods(registry: CollectorRegistry) -> MetricsRPC:
    return MetricsRPC({}, registry)


def declared(name: str, kind: str, **more: object) -> Declaration:
    return msgspec.convert({"name": name, "collector": {"type": kind, **more}}, Declaration)


def test_a_metric_is_declared_counted_and_forgotten(methods, registry):
    assert methods.declare(declared("orders_total", "counter", help="Orders.", labels=["land"])) is True
    assert methods.add(Value("orders_total", 2, ["NL"])) is True
    assert 'orders_total{land="NL"} 2.0' in generate_latest(registry).decode()
    assert methods.unregister("orders_total") is True
    assert generate_latest(registry) == b""
    methods.declare(declared("orders_total", "gauge"))
    assert "orders_total 0.0" in generate_latest(registry).decode()


def test_every_verb_reaches_its_metric(methods, registry):
    methods.declare(declared("g", "gauge"))
    methods.declare(declared("h", "histogram", buckets=[1.0]))
    methods.set(Value("g", 5))
    methods.sub(Value("g", 2))
    methods.observe(Value("h", 0.5))
    text = generate_latest(registry).decode()
    assert "\ng 3.0\n" in text
    assert 'h_bucket{le="1.0"} 1.0' in text


def test_a_metric_that_is_there_is_refused_in_roadrunners_words(methods):
    """Its PHP client looks for them, to let every worker declare the same."""
    methods.declare(declared("a", "gauge"))
    with pytest.raises(HostError, match=r"^tried to register existing collector with the name `a`$"):
        methods.declare(declared("a", "counter"))


def test_the_hosts_own_name_cannot_be_taken(methods, registry):
    Gauge("rr_uptime_seconds", "Up.", registry=registry)
    words = r"^the metric rr_uptime_seconds cannot be made: its name, or one derived from it, is taken$"
    with pytest.raises(HostError, match=words):
        methods.declare(declared("rr_uptime_seconds", "gauge"))
    with pytest.raises(HostError, match="undefined collector"):
        methods.set(Value("rr_uptime_seconds", 0))


@pytest.mark.parametrize("method", ["add", "sub", "set", "observe"])
def test_a_metric_that_is_not_there_is_undefined(methods, method):
    with pytest.raises(HostError, match=r"^undefined collector x, try first Declare the desired collector$"):
        getattr(methods, method)(Value("x", 1))
    with pytest.raises(HostError, match="undefined collector x"):
        methods.unregister("x")


@pytest.mark.parametrize("empty", [None, []])
def test_what_php_writes_for_an_empty_list_or_mapping_is_taken(methods, empty):
    collector = {"namespace": "", "type": "gauge", "help": "", "labels": empty, "buckets": empty, "objectives": empty}
    declaration = msgspec.convert({"name": "a", "collector": collector}, Declaration)
    assert methods.declare(declaration) is True
    assert methods.set(msgspec.convert({"name": "a", "value": 3, "labels": empty}, Value)) is True
