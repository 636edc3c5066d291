"""Sections: read into their models, or refused in one sentence; and the configuration as a whole."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from support.container.sections import SECRET, Attachments, Smtp, User, load, refusal, smtp

from rrpy.container.config import Config
from rrpy.container.config.fields import Duration, Secret
from rrpy.container.errors import ConfigError, PluginDisabled

# Sections.


def test_a_section_is_read_into_its_model_and_what_is_absent_is_the_default(tmp_path):
    config = load(tmp_path, "smtp:\n  addr: 0.0.0.0:25\n  read_timeout: 1m30s\n  users: [{name: a, password: x}]\n")
    section = config.section("smtp", Smtp)
    assert section.addr == "0.0.0.0:25"
    assert section.read_timeout == 90.0
    assert type(section.read_timeout) is Duration
    assert section.users == [User("a", Secret("x"))]
    assert section.attachments == Attachments()
    assert config.source == str(tmp_path / "rr.yaml")


@pytest.mark.parametrize("text", ["smtp:\n", "smtp: {}\n", "smtp: ~\n"])
def test_an_empty_section_is_there_and_gives_the_defaults(tmp_path, text):
    config = load(tmp_path, text)
    assert config.has("smtp")
    assert config.section("smtp", Smtp) == Smtp()


def test_an_absent_section_disables_its_plugin_and_the_hosts_own_has_its_defaults(tmp_path):
    config = load(tmp_path, "")
    assert not config.has("smtp")
    with pytest.raises(PluginDisabled, match=r"rr\.yaml has no section smtp"):
        config.section("smtp", Smtp)
    assert config.section_or_default("smtp", Smtp) == Smtp()


def test_a_text_from_a_variable_becomes_the_number_or_switch_that_the_model_wants():
    section = smtp(
        {"ratio": "$RATIO", "strict": "$STRICT", "attachments": {"max_size": "${SIZE}"}, "limits": ["$SIZE"]},
        {"RATIO": "0.5", "STRICT": "true", "SIZE": "7"},
    )
    assert (section.ratio, section.strict, section.attachments.max_size, section.limits) == (0.5, True, 7, [7])


# Every sentence of a wrong section.


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({"adr": 1}, "smtp.adr is not a known key in rr.yaml; did you mean addr?"),
        (
            {"attachments": {"max_sise": 1}},
            "smtp.attachments.max_sise is not a known key in rr.yaml; did you mean max_size?",
        ),
        (
            {"attachments": {"zzz": 1}},
            "smtp.attachments.zzz is not a known key in rr.yaml; known are cleanup_after, max_size, storage",
        ),
        ({"cache": {"storag": 1}}, "smtp.cache.storag is not a known key in rr.yaml; did you mean storage?"),
        (
            {"users": [{"name": "a"}, {"nam": "b"}]},
            "smtp.users.1.nam is not a known key in rr.yaml; did you mean name?",
        ),
        (
            {"routes": {"a.b": {"storag": 1}}},
            "smtp.routes.a.b.storag is not a known key in rr.yaml; did you mean storage?",
        ),
        (
            {"attachments": {"storage": "disk"}},
            "smtp.attachments.storage: expected one of memory, tempfile, got 'disk' in rr.yaml",
        ),
        (
            {"attachments": {"storage": ["memory"]}},
            "smtp.attachments.storage: expected one of memory, tempfile, got a list in rr.yaml",
        ),
        (
            {"attachments": {"storage": None}},
            "smtp.attachments.storage: expected one of memory, tempfile, got nothing in rr.yaml",
        ),
        (
            {"attachments": {"max_size": "many"}},
            "smtp.attachments.max_size: expected a whole number, got 'many' in rr.yaml",
        ),
        (
            {"attachments": {"max_size": -1}},
            "smtp.attachments.max_size: expected a whole number >= 0, got -1 in rr.yaml",
        ),
        (
            {"attachments": {"max_size": 101}},
            "smtp.attachments.max_size: expected a whole number <= 100, got 101 in rr.yaml",
        ),
        ({"attachments": 5}, "smtp.attachments: expected a mapping, got 5 in rr.yaml"),
        ({"attachments": ["x"]}, "smtp.attachments: expected a mapping, got a list in rr.yaml"),
        ({"addr": 25}, "smtp.addr: expected a text, got 25 in rr.yaml"),
        ({"addr": {"host": "x"}}, "smtp.addr: expected a text, got a mapping in rr.yaml"),
        ({"addr": None}, "smtp.addr: expected a text, got nothing in rr.yaml"),
        ({"addr": "!x"}, "smtp.addr: it begins with an exclamation mark in rr.yaml"),
        ({"ratio": 10}, "smtp: the ratio is too large in rr.yaml"),
        ({"strict": "maybe"}, "smtp.strict: expected true or false, got 'maybe' in rr.yaml"),
        ({"limits": ["a"]}, "smtp.limits.0: expected a whole number, got 'a' in rr.yaml"),
        ({"limits": 5}, "smtp.limits: expected a list, got 5 in rr.yaml"),
        ({"users": [{}]}, "smtp.users.0: the key name is missing in rr.yaml"),
        ({"users": {"name": "a"}}, "smtp.users: expected a list, got a mapping in rr.yaml"),
        (
            {"read_timeout": "10 minutes"},
            "smtp.read_timeout: expected a duration such as 10s, 1m30s or 500ms, got '10 minutes' in rr.yaml",
        ),
        (
            {"read_timeout": True},
            "smtp.read_timeout: expected a duration such as 10s, 1m30s or 500ms, got True in rr.yaml",
        ),
        ({"read_timeout": 10**400}, None),
        (5, "smtp: expected a mapping, got 5 in rr.yaml"),
        ("text", "smtp: expected a mapping, got 'text' in rr.yaml"),
        ([], "smtp: expected a mapping, got a list in rr.yaml"),
    ],
)
def test_a_wrong_key_or_value_is_one_sentence_with_the_full_path_the_file_and_what_was_found(tree, sentence):
    said = refusal(tree)
    assert sentence is None or said == sentence


@pytest.mark.parametrize(
    "tree",
    [
        {"password": [SECRET]},
        {"password": {SECRET: 1}},
        {"users": [{"name": "a", "password": [SECRET]}]},
        {"pasword": SECRET},
        {"users": [{"name": "a", "password": {"x": SECRET}}]},
    ],
)
def test_no_sentence_shows_a_secret(tree):
    assert refusal(tree).startswith("smtp.")


def test_a_secret_that_is_a_number_is_told_to_be_quoted():
    assert refusal({"password": 123456}) == "smtp.password: expected a text in quotes, got '***' in rr.yaml"


def test_a_password_inside_an_url_is_not_shown_either():
    said = refusal({"attachments": {"storage": f"redis://user:{SECRET}@host"}})
    assert "got 'redis://user:***@host'" in said


@pytest.mark.parametrize("written", ["yes", "", "10", None])
def test_an_optional_word_may_be_nothing(written):
    class Log(msgspec.Struct):
        level: Literal["info", "10"] | None = None

    config = Config.from_dict({"logs": {"level": written}})
    if written in ("10", None):
        assert config.section("logs", Log).level == written
    else:
        with pytest.raises(ConfigError, match=rf"^logs\.level: expected one of info, 10, got {written!r} in <python>$"):
            config.section("logs", Log)


def test_a_value_in_a_mapping_is_named_by_its_own_key():
    said = refusal({"routes": {"x": {"max_size": "z"}}})
    assert said == "smtp.routes.x.max_size: expected a whole number, got 'z' in rr.yaml"


@pytest.mark.parametrize("word", ["disk", 5, None, [SECRET], {}])
def test_a_switch_with_a_word_beside_it_says_both(word):
    said = refusal({"include_raw": word})
    assert said.startswith("smtp.include_raw: expected ")
    assert "auto" in said
    assert "true, false" in said


def test_a_switch_with_a_word_beside_it_takes_each():
    assert smtp({"include_raw": True}).include_raw is True
    assert smtp({"include_raw": "auto"}).include_raw == "auto"


def test_a_type_of_two_shapes_takes_both():
    assert smtp({"command": "php worker.php"}).command == "php worker.php"
    assert smtp({"command": ["php", "worker.php"]}).command == ["php", "worker.php"]
    assert refusal({"command": 5}) == "smtp.command: expected a text or a list, got 5 in rr.yaml"
    assert refusal({"command": ["php", 5]}) == "smtp.command.1: expected a text, got 5 in rr.yaml"


# The whole.


def test_a_section_of_nobody_is_an_error_that_names_the_nearest(tmp_path):
    config = load(tmp_path, "smpt: {}\nlogs: {}\nendure: {}\nplugins: []\n")
    with pytest.raises(ConfigError) as caught:
        config.check_sections(["smtp", "rpc"])
    assert str(caught.value) == f"smpt is not a known key in {config.source}; did you mean smtp?"
    config.check_sections(["smpt"])


def test_a_section_that_resembles_nothing_is_told_all_that_are_known():
    with pytest.raises(ConfigError) as caught:
        Config.from_dict({"xyzzy": 1}).check_sections(["smtp"])
    said = "xyzzy is not a known key in <python>; known are endure, logs, plugins, secrets, smtp, version"
    assert str(caught.value) == said


def test_masked_shows_the_whole_with_the_secrets_hidden_and_unset_variables_as_written():
    tree = {
        "smtp": {"addr": "$A", "users": [{"name": "a", "password": "$P"}], "dsn": f"redis://u:{SECRET}@h"},
        "rpc": {"listen": "$NONE", "token": SECRET},
        "flag": True,
    }
    shown = Config(tree, "rr.yaml", {"A": "x", "P": SECRET}).masked()
    assert SECRET not in str(shown)
    assert shown["smtp"] == {"addr": "x", "users": [{"name": "a", "password": "***"}], "dsn": "redis://u:***@h"}
    assert shown["rpc"] == {"listen": "$NONE", "token": "***"}
    assert shown["flag"] is True


def test_masked_is_a_copy():
    tree = {"smtp": {"users": [{"name": "a"}]}}
    config = Config.from_dict(tree)
    config.masked()["smtp"]["users"][0]["name"] = "z"
    assert config.section("smtp", Smtp).users[0].name == "a"


def test_a_programs_own_configuration_needs_no_version_and_is_left_as_it_is():
    tree = {"smtp": {"addr": "x"}}
    config = Config.from_dict(tree)
    assert config.source == "<python>"
    assert config.section("smtp", Smtp).addr == "x"
    assert tree == {"smtp": {"addr": "x"}}


@pytest.mark.parametrize(("tree", "names"), [({}, []), ({"plugins": None}, []), ({"plugins": ["a:B"]}, ["a:B"])])
def test_plugins_are_a_list_of_specifications(tree, names):
    assert Config.from_dict(tree).plugins == names


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("a:B", "plugins: expected a list, got 'a:B' in <python>"),
        ([5], "plugins.0: expected a text, got 5 in <python>"),
        ({}, "plugins: expected a list, got a mapping in <python>"),
    ],
)
def test_plugins_that_are_no_list_of_texts_are_refused(value, sentence):
    with pytest.raises(ConfigError) as caught:
        _ = Config.from_dict({"plugins": value}).plugins
    assert str(caught.value) == sentence
