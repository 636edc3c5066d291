"""The JSON Schema of rr.yaml and the host agree on what is right and what is wrong."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jsonschema
import msgspec
import pytest
import yaml
from msgspec import Struct
from support.docs.example import uncommented
from support.docs.pages import page

from rrpy import Config, ConfigError, default_plugins
from rrpy.commands.check import check, models_of
from rrpy.commands.schema import config_schema, schema_for
from rrpy.container.config.fields import Duration, Secret
from rrpy.container.config.model import summary
from rrpy.container.config.yamlfile import parse

SCHEMA = schema_for(default_plugins(), None)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

RIGHT = [
    "rpc:",
    "{rpc: , server: , smtp: , logs: , endure: , plugins: }",
    "smtp: {read_timeout: 1m30s, write_timeout: 2.5}",
    "smtp: {read_timeout: '10', write_timeout: .5s}",
    "smtp: {read_timeout: '${WAIT}', max_errors: $COUNT, lmtp: '${LMTP:-false}', line_endings: '${ENDS:-strict}'}",
    "smtp: {tls: }",
    "smtp: {tls: {cert: a, key: b}, deliver: workers, history: 100000}",
    "smtp: {pool: {num_workers: 500, supervisor: {}, dynamic_allocator: {max_workers: 100}}}",
    "server: {command: [php, worker.php], env: {A: b, C: ''}}",
    "server: {command: php worker.php}",
    "logs: {level: warn, output: [stderr, x.log], channels: {smtp: {level: info}, host: {}}}",
    "logs: {mode: , level: }",
    "endure: {grace_period: 0}",
    "informer: {anything: 1}",
]
WRONG = [
    "smtpd: {}",
    "smtp: []",
    "smtp: text",
    "smtp: {adr: 127.0.0.1:1025}",
    "smtp: {addr: 1025}",
    "smtp: {addr: }",
    "smtp: {max_errors: -1}",
    "smtp: {max_errors: many}",
    "smtp: {max_errors: 1.5}",
    "smtp: {max_errors: true}",
    "smtp: {history: 100001}",
    "smtp: {lmtp: sometimes}",
    "smtp: {lmtp: 2}",
    "smtp: {hostname: ''}",
    "smtp: {read_timeout: 10 minutes}",
    "smtp: {read_timeout: -1s}",
    "smtp: {read_timeout: -1}",
    "smtp: {read_timeout: true}",
    "smtp: {read_timeout: []}",
    "smtp: {line_endings: gard}",
    "smtp: {auth_mechanisms: XOAUTH2}",
    "smtp: {auth_mechanisms: [1]}",
    "smtp: {tls: {cert: a}}",
    "smtp: {tls: {cert: a, key: b, mode: both}}",
    "smtp: {tls: true}",
    "smtp: {pool: }",
    "smtp: {pool: {num_workers: 501}}",
    "smtp: {pool: {supervisor: {ttl: soon}}}",
    "smtp: {pool: {dynamic_allocator: {max_workers: 0}}}",
    "server: {command: {php: worker.php}}",
    "server: {command: [1]}",
    "server: {env: {A: [b]}}",
    "server: {env: [A]}",
    "rpc: {max_frame_bytes: 0}",
    "rpc: {max_frame_bytes: 4294967296}",
    "logs: {level: loud}",
    "logs: {output: 1}",
    "logs: {channels: {smtp: {levl: info}}}",
    "endure: {grace_period: long}",
    "plugins: {a: b}",
    "plugins: [nonsense]",
]


def refused_by_schema(tree: Any) -> bool:
    return not VALIDATOR.is_valid(tree)


def refused_by_host(tree: Any, tmp_path) -> list[str]:
    environ = {"WAIT": "10s", "COUNT": "3", "LMTP": "true"}
    report = check(Config(tree, "rr.yaml", environ), tmp_path, default_plugins())
    return [text for text in report.problems if not text.startswith("smtp.tls.cert is a in rr.yaml; it cannot be read")]


def test_it_is_a_schema_of_the_draft_that_it_names():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize("switch", [str, uncommented], ids=["as it is", "with every key"])
def test_the_example_configuration_is_right(switch):
    VALIDATOR.validate(parse(switch(page("rr.yaml")), "rr.yaml"))


@pytest.mark.parametrize("text", RIGHT)
def test_what_the_host_takes_the_schema_takes(text, tmp_path):
    tree = {"version": "3", "server": {}, **yaml.safe_load(text)}
    VALIDATOR.validate(tree)
    assert refused_by_host(tree, tmp_path) == []


@pytest.mark.parametrize("text", WRONG)
def test_what_the_host_refuses_the_schema_refuses(text, tmp_path):
    tree = {"version": "3", "server": {}, **yaml.safe_load(text)}
    assert refused_by_schema(tree)
    assert refused_by_host(tree, tmp_path)


@pytest.mark.parametrize("text", ["rpc:", "version: 3", "version: '2'", "- version"])
def test_a_file_without_its_version_is_refused_by_both(text, tmp_path):
    assert refused_by_schema(yaml.safe_load(text))
    (tmp_path / "rr.yaml").write_text(text)
    with pytest.raises(ConfigError):
        Config.load(tmp_path / "rr.yaml")


@pytest.mark.parametrize("name", sorted(SCHEMA["$defs"]))
def test_every_key_says_what_it_means_and_has_no_other_keys_beside_it(name):
    definition = SCHEMA["$defs"][name]
    assert definition["description"]
    assert definition["additionalProperties"] is False
    for key, described in definition["properties"].items():
        assert described.get("description"), f"{name}.{key}: its annotation has no Meta(description=...)"


@pytest.mark.parametrize(("section", "model"), models_of(default_plugins()).items())
def test_every_default_is_the_model_s_and_right_where_somebody_writes_it(section, model):
    defaults = {
        field.encode_name: described["default"]
        for field in msgspec.structs.fields(model)
        if "default" in (described := SCHEMA["$defs"][model.__name__]["properties"][field.encode_name])
    }
    tree = {"version": "3", section: defaults}
    assert Config(tree, "rr.yaml", {}).section(section, model) == model()
    VALIDATOR.validate(tree)


class Part(Struct, forbid_unknown_fields=True):
    """A part."""

    name: Annotated[str, msgspec.Meta(description="of it")] = "x"
    parts: list[Part] = []


class Own(Struct, forbid_unknown_fields=True):
    """A section of another plugin.

    More of it.
    """

    password: Annotated[Secret, msgspec.Meta(description="opens it")]
    pin: int | None = None
    often: Annotated[int, msgspec.Meta(ge=1, description="how often, see `Part`")] = 1
    choice: Literal["a", "b"] | bool = "a"
    parts: dict[str, Part] = {}
    whatever: Any = None
    wait: Annotated[Duration | None, msgspec.Meta(description="how long")] = None
    ports: list[int] = []


class Base(Struct):
    """A base."""

    name: Annotated[str, msgspec.Meta(description="of the base")] = ""
    other: Annotated[str, msgspec.Meta(description="kept")] = ""


class Derived(Base):
    """Derived."""

    name: Annotated[str, msgspec.Meta(description="of the derived")] = ""


OWN = config_schema({"own": Own, "anything": None})


@pytest.mark.parametrize(
    ("section", "right"),
    [
        ("own: {password: x}", True),
        ("own: {}", False),
        ("own: {password: 1}", False),
        ("own: {password: x, pin: 1}", True),
        ("own: {password: x, pin: $PIN}", True),
        ("own: {password: x, pin: '1'}", False),
        ("own: {password: x, often: 0}", False),
        ("own: {password: x, choice: true}", True),
        ("own: {password: x, choice: c}", False),
        ("own: {password: x, parts: {a: {parts: [{name: y}]}}}", True),
        ("own: {password: x, parts: {a: {parts: [{nam: y}]}}}", False),
        ("own: {password: x, whatever: [{}]}", True),
        ("own: {password: x, wait: 1h}", True),
        ("own: {password: x, wait: }", True),
        ("own: {password: x, wait: later}", False),
        ("own: {password: x, ports: [1, $PORT]}", True),
        ("own: {password: x, ports: [a]}", False),
        ("anything: [1]", True),
        ("nothing: {}", False),
    ],
)
def test_a_section_of_somebody_else(section, right):
    assert jsonschema.Draft202012Validator(OWN).is_valid({"version": "3", **yaml.safe_load(section)}) is right


def test_a_secret_is_told_to_be_one_and_has_no_default():
    described = OWN["$defs"]["Own"]["properties"]
    assert described["password"] == {
        "description": "opens it",
        "type": "string",
        "format": "password",
        "writeOnly": True,
    }
    assert described["often"]["description"] == "how often, see `Part`"
    assert described["wait"]["description"] == "how long"
    assert "description" not in described["pin"]


def test_a_key_of_a_base_is_described_there_and_the_nearest_says_it():
    described = config_schema({"derived": Derived})["$defs"]["Derived"]["properties"]
    assert {key: each["description"] for key, each in described.items()} == {
        "name": "of the derived",
        "other": "kept",
    }
    assert summary(Own) == "A section of another plugin."
    assert summary(Part) == "A part."


def test_two_models_of_one_name_are_both_there():
    other = msgspec.defstruct("Own", [("here", int, 1)], module="elsewhere")
    both = config_schema({"a": Own, "b": other})
    assert set(both["$defs"]) == {"Own", "Part", "elsewhere.Own"}
    jsonschema.Draft202012Validator.check_schema(both)
    assert jsonschema.Draft202012Validator(both).is_valid({"version": "3", "b": {"here": 2, "there": 1}})
