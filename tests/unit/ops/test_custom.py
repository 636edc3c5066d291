from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

from rrpy.container.errors import HostError
from rrpy.ops import custom
from rrpy.ops.config import MetricConfig
from rrpy.ops.custom import CustomMetric


def metric(kind: str, name: str = "things", **config: Any) -> CustomMetric:
    return CustomMetric(name, MetricConfig(type=kind, **config))


def shown(made: CustomMetric, write=generate_latest) -> list[str]:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(made)
    return [line for line in write(registry).decode().splitlines() if "_created" not in line]


def test_a_counter_keeps_the_name_that_it_was_given():
    made = metric("counter", help="Things.", labels=["where"])
    made.add(2, ["here"])
    made.add(0.5, ["here"])
    assert shown(made) == ["# HELP things Things.", "# TYPE things untyped", 'things{where="here"} 2.5']
    assert shown(made, openmetrics)[1:] == ["# TYPE things unknown", 'things{where="here"} 2.5', "# EOF"]


def test_a_counter_whose_name_says_total_is_a_counter():
    made = metric("counter", "things_total", namespace="shop", subsystem="cart")
    made.add(1, [])
    assert "# TYPE shop_cart_things_total counter" in shown(made)
    assert "shop_cart_things_total 1.0" in shown(made)


def test_a_gauge_goes_up_and_down_and_is_set():
    made = metric("gauge")
    made.set(5, [])
    made.add(2, [])
    made.sub(4, [])
    made.add(-1, [])
    assert shown(made)[-1] == "things 2.0"


def test_a_histogram_has_the_buckets_that_it_was_given():
    made = metric("histogram", buckets=[1, 5])
    for value in (0.5, 3, 30):
        made.observe(value, [])
    assert shown(made)[2:] == [
        'things_bucket{le="1.0"} 1.0',
        'things_bucket{le="5.0"} 2.0',
        'things_bucket{le="+Inf"} 3.0',
        "things_count 3.0",
        "things_sum 33.5",
    ]


def test_a_summary_has_its_count_and_its_sum():
    made = metric("summary", objectives={0.5: 0.1})
    made.observe(3, [])
    assert shown(made)[2:] == ["things_count 1.0", "things_sum 3.0"]


@pytest.mark.parametrize(
    ("kind", "method", "value", "labels", "words"),
    [
        ("counter", "add", -1, [], "the counter things only goes up, so -1 cannot be added"),
        ("counter", "add", float("inf"), [], "the counter things only goes up, so inf cannot be added"),
        ("counter", "add", float("nan"), [], "the counter things only goes up, so nan cannot be added"),
        ("counter", "sub", 1, [], "things is a counter; only a gauge can be subtracted from"),
        ("counter", "set", 1, [], "things is a counter; only a gauge can be set"),
        ("gauge", "observe", 1, [], "things is a gauge; only a histogram or a summary can be observed"),
        ("summary", "add", 1, [], "things is a summary; only a counter or a gauge can be added to"),
        ("gauge", "add", 1, ["x"], "things has 0 labels (none), and 1 were given"),
    ],
)
def test_what_a_metric_cannot_do_is_one_sentence(kind, method, value, labels, words):
    with pytest.raises(HostError) as error:
        getattr(metric(kind), method)(value, labels)
    assert str(error.value) == words


def test_labels_that_are_missing_are_named():
    with pytest.raises(HostError, match=r"^things has 2 labels \(where, who\), and 1 were given$"):
        metric("gauge", labels=["where", "who"]).set(1, ["here"])


def test_a_metric_has_no_more_combinations_of_labels_than_the_limit(monkeypatch):
    monkeypatch.setattr(custom, "MAX_SERIES", 2)
    made = metric("counter", labels=["id"])
    for label in ("a", "b", "a"):
        made.add(1, [label])
    with pytest.raises(HostError, match=r"^things has 2 combinations of labels already, which is the limit$"):
        made.add(1, ["c"])
    made.add(1, ["b"])
    assert shown(made)[2:] == ['things{id="a"} 2.0', 'things{id="b"} 2.0']


@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        ("", {}, "'' is not a name"),
        ("9lives", {}, "'9lives' is not a name"),
        ("a-b", {}, "'a-b' is not a name"),
        ("a", {"namespace": "ü"}, "'ü_a' is not a name"),
        ("a", {"labels": ["a-b"]}, "'a-b' is not a label"),
        ("a", {"labels": ["__name__"]}, "'__name__' is not a label"),
        ("a", {"labels": ["b", "b"]}, "the label b is there twice"),
        ("a", {"labels": ["le"]}, "the label le is Prometheus' own"),
        ("a", {"buckets": [2, 1]}, "buckets not in sorted order"),
    ],
)
def test_what_prometheus_would_not_take_is_refused_at_once(name, config, words):
    with pytest.raises(HostError) as error:
        metric("histogram", name, **config)
    assert str(error.value).startswith(f"the metric {name} cannot be made: {words}")
