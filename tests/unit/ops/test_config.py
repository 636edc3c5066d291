from __future__ import annotations

import pytest

from rrpy.container.config import Config
from rrpy.container.errors import ConfigError, PluginDisabled
from rrpy.ops.config import MetricsConfig, StatusConfig


def load(name: str, model: type, section: object) -> object:
    return Config.from_dict({name: section}).section(name, model)


def test_an_empty_section_has_roadrunners_ports():
    assert load("status", StatusConfig, None).address == "127.0.0.1:2114"
    assert load("metrics", MetricsConfig, None).address == "127.0.0.1:2112"


def test_an_absent_section_is_a_disabled_plugin():
    with pytest.raises(PluginDisabled):
        Config.from_dict({}).section("status", StatusConfig)


@pytest.mark.parametrize(
    ("name", "model", "section", "words"),
    [
        ("status", StatusConfig, {"check_timeout": 0}, "status.check_timeout: must be at least 1ms"),
        ("status", StatusConfig, {"unavailable_status_code": 200}, "status.unavailable_status_code: "),
        ("metrics", MetricsConfig, {"collect": {"a": {}}}, "metrics.collect.a: the key type is missing"),
        ("metrics", MetricsConfig, {"collect": {"a": {"type": "count"}}}, "metrics.collect.a.type: expected one of "),
        ("metrics", MetricsConfig, {"colect": {}}, "metrics.colect is not a known key"),
    ],
)
def test_a_wrong_key_is_named_with_its_path(name, model, section, words):
    with pytest.raises(ConfigError) as error:
        load(name, model, section)
    assert str(error.value).startswith(words)


@pytest.mark.parametrize("quantile", [0.5, "0.5"])
def test_objectives_are_read_as_roadrunner_writes_them(quantile):
    section = {"collect": {"a": {"type": "summary", "objectives": {quantile: 0.05}}}}
    assert load("metrics", MetricsConfig, section).collect["a"].objectives == {0.5: 0.05}
