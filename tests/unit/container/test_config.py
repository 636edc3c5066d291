from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from rrpy.container.config import Config
from rrpy.container.config.fields import Duration, Secret
from rrpy.container.errors import ConfigError, PluginDisabled

SECRET = "hunter2"


class Attachments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    storage: Literal["memory", "tempfile"] = "memory"
    max_size: Annotated[int, msgspec.Meta(ge=0, le=100)] = 10
    cleanup_after: Duration = Duration("1h")


class User(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    password: Secret = Secret("")


class Smtp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    addr: str = "127.0.0.1:2525"
    hostname: str | None = None
    read_timeout: Duration = Duration(60)
    strict: bool = False
    ratio: float = 1.0
    command: str | list[str] = ""
    attachments: Attachments = Attachments()
    include_raw: bool | Literal["auto"] = "auto"
    users: list[User] = []
    routes: dict[str, Attachments] = {}
    password: Secret | None = None
    limits: list[int] = []
    cache: Attachments | None = None

    def __post_init__(self) -> None:
        if self.addr.startswith("!"):
            raise ConfigError("it begins with an exclamation mark", key="addr")
        if self.ratio > 9:
            raise ValueError("the ratio is too large")


def load(folder: Path, text: str, **options: object) -> Config:
    path = folder / "rr.yaml"
    path.write_text("version: '3'\n" + text, encoding="utf-8")
    return Config.load(path, **options)


def smtp(tree: object, environ: dict[str, str] | None = None) -> Smtp:
    return Config({"smtp": tree}, "rr.yaml", environ or {}).section("smtp", Smtp)


def refusal(tree: object, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        smtp(tree, environ)
    said = str(caught.value)
    assert "\n" not in said
    assert SECRET not in said
    assert caught.value.exit_code == 2
    return said


def refused_load(path: str | Path, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.load(path, **options)
    said = str(caught.value)
    assert SECRET not in said
    return said


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


# The environment.


def test_an_unset_variable_is_an_error_when_its_section_is_asked_for_and_not_before(tmp_path):
    config = load(tmp_path, "smtp: {addr: $NONE}\nrpc: {listen: x}\n", environ={})
    assert config.section("rpc", dict) == {"listen": "x"}
    with pytest.raises(
        ConfigError, match=r"^smtp\.addr: the environment variable NONE is not set in .*rr\.yaml; set it"
    ):
        config.section("smtp", Smtp)


def test_the_value_of_a_variable_is_shown_when_it_is_wrong_unless_it_is_a_secret():
    assert refusal({"ratio": "$R"}, {"R": "x"}) == "smtp.ratio: expected a number, got 'x' in rr.yaml"
    assert refusal({"password": ["$R"]}, {"R": SECRET})


def test_the_environment_is_the_processs_own_when_none_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("RRPY_TEST_ADDR", "from:1")
    assert load(tmp_path, "smtp: {addr: $RRPY_TEST_ADDR}\n").section("smtp", Smtp).addr == "from:1"
    assert Config.from_dict({"smtp": {"addr": "$RRPY_TEST_ADDR"}}).section("smtp", Smtp).addr == "from:1"


def test_a_dotenv_file_fills_in_what_the_environment_does_not_have(tmp_path):
    (tmp_path / ".env").write_text("# comment\nADDR=file:1\nexport HOST='with space'\nBARE\nSET=file\nEMPTY=\n")
    environ = {"SET": "environment"}
    config = load(tmp_path, "smtp: {addr: $ADDR, hostname: '$HOST-$SET'}\n", dotenv=tmp_path / ".env", environ=environ)
    assert config.section("smtp", Smtp).addr == "file:1"
    assert config.section("smtp", Smtp).hostname == "with space-environment"
    assert "BARE" not in environ


def test_a_dotenv_file_reaches_the_workers_by_the_processs_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RRPY_TEST_ONE", "set")
    monkeypatch.delenv("RRPY_TEST_TWO", raising=False)
    (tmp_path / ".env").write_text("RRPY_TEST_ONE=file\nRRPY_TEST_TWO=file\n")
    try:
        load(tmp_path, "", dotenv=tmp_path / ".env")
        assert (os.environ["RRPY_TEST_ONE"], os.environ["RRPY_TEST_TWO"]) == ("set", "file")
    finally:
        os.environ.pop("RRPY_TEST_TWO", None)


@pytest.mark.parametrize("content", [None, "folder", b"A=\xff\xfe\n", b"A=\x00\n"])
def test_a_dotenv_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "my.env"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    (tmp_path / "rr.yaml").write_text("version: '3'\n")
    said = refused_load(tmp_path / "rr.yaml", dotenv=path)
    assert said.startswith(f"cannot read the environment file {path}: ")


# The file.


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "{path} has no `version: '3'`, which is mandatory"),
        ("smtp: {}", "{path} has no `version: '3'`, which is mandatory"),
        ("version: 3", "version must be '3' as a string, in quotes in {path}, got 3"),
        ("version: '2.7'", "version must be '3' in {path}, got '2.7'"),
        ("version: 3.0", "version must be '3' as a string, in quotes in {path}, got 3.0"),
        ("version:", "version must be '3' as a string, in quotes in {path}, got None"),
        ("version: $V", "version must be '3' in {path}, got '$V'"),
        ("- a", "{path} must be a mapping of sections, not a list"),
        ("text", "{path} must be a mapping of sections, not a value"),
        ("5", "{path} must be a mapping of sections, not a value"),
        ("version: '3'\nsmtp: {}\nsmtp: {}", "{path}:3:1: the key smtp is there twice"),
        ("version: '3'\nsmtp:\n\taddr: x", "{path}:3:1: a tab; indent with blanks"),
        ("version: '3'\nsmtp:\n  pool:\n  \tdebug: true", "{path}:4:3: a tab; indent with blanks"),
        (
            "version: '3'\nsmtp: @x",
            "{path}:2:7: while scanning for the next token, found character that cannot start any token",
        ),
        ("version: '3'\nsmtp: [", "{path}:3:1: while parsing a flow node, did not find expected node content"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_sentence_that_names_it(tmp_path, text, sentence):
    path = tmp_path / "rr.yaml"
    path.write_text(text + "\n")
    assert refused_load(path) == sentence.format(path=path)


def test_a_file_that_cannot_be_read_is_one_sentence_that_names_it(tmp_path):
    path = tmp_path / "rr.yaml"
    assert refused_load(path) == f"cannot read the configuration {path}: no such file or directory"
    assert refused_load(tmp_path) == f"cannot read the configuration {tmp_path}: is a directory"
    for folder in ("/", "."):
        assert refused_load(folder) == f"cannot read the configuration {folder}: is a directory"
    assert refused_load("") == "no configuration file is named: its name is empty"
    path.write_bytes(b"version: '\xff'")
    assert refused_load(path) == f"{path} is not UTF-8 text"


def test_a_byte_order_mark_of_windows_is_no_obstacle(tmp_path):
    path = tmp_path / "rr.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: '3'\r\nsmtp: {}\r\n")
    assert Config.load(path).has("smtp")


# Overrides.


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("smtp.addr=x:1", ("smtp", "addr"), "x:1"),
        ("smtp.addr=a=b", ("smtp", "addr"), "a=b"),
        ("smtp.addr=", ("smtp", "addr"), None),
        ("smtp.addr=''", ("smtp", "addr"), ""),
        ("smtp.ratio=5", ("smtp", "ratio"), 5),
        ("smtp.strict=true", ("smtp", "strict"), True),
        ("smtp.command=[php, worker.php]", ("smtp", "command"), ["php", "worker.php"]),
        ("smtp.attachments={max_size: 5}", ("smtp", "attachments"), {"max_size": 5}),
        ("smtp.new.deep.key=1", ("smtp", "new"), {"deep": {"key": 1}}),
        ("empty.key=1", ("empty",), {"key": 1}),
        ("rpc.listen=tcp://127.0.0.1:0", ("rpc", "listen"), "tcp://127.0.0.1:0"),
        ("smtp.users.1.name=z", ("smtp", "users"), [{"name": "a"}, {"name": "z"}]),
        ("smtp.users.0={name: q}", ("smtp", "users"), [{"name": "q"}, {"name": "b"}]),
    ],
)
def test_an_override_puts_a_yaml_value_where_its_path_says_and_wins(tmp_path, override, place, value):
    text = "smtp: {addr: file, users: [{name: a}, {name: b}]}\nempty:\n"
    found: object = load(tmp_path, text, overrides=[override]).masked()
    for key in place:
        found = found[key]
    assert found == value


def test_the_last_override_wins_and_one_may_stand_on_another(tmp_path):
    overrides = ["smtp.addr=a", "smtp.addr=b", "list=[1, 2]", "list.1=9"]
    tree = load(tmp_path, "", overrides=overrides).masked()
    assert tree["smtp"] == {"addr": "b"}
    assert tree["list"] == [1, 9]


def test_a_variable_in_an_override_is_expanded(tmp_path):
    assert load(tmp_path, "", overrides=["smtp.addr=$A"], environ={"A": "x"}).section("smtp", Smtp).addr == "x"


def test_an_override_of_a_value_that_an_alias_shares_changes_one_place_only(tmp_path):
    config = load(tmp_path, "smtp: {attachments: &a {max_size: 1}, cache: *a}\n", overrides=["smtp.cache.max_size=2"])
    section = config.section("smtp", Smtp)
    assert (section.attachments.max_size, section.cache.max_size) == (1, 2)


@pytest.mark.parametrize("override", ["", "=", "=x", "smtp.addr", "smtp..addr=x", ".smtp=x", "smtp.=x"])
def test_an_override_that_is_no_assignment_is_told_how_to_write_one(tmp_path, override):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "", overrides=[override])
    assert (
        str(caught.value)
        == f"-o {override.partition('=')[0]}: write -o key.path=value, for example -o smtp.addr=127.0.0.1:2525"
    )


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("smtp.addr.host=x", "-o smtp.addr.host: smtp.addr is a value and has no key host"),
        ("smtp.addr.a.b=x", "-o smtp.addr.a.b: smtp.addr is a value and has no key a"),
        ("smtp.users.2=x", "-o smtp.users.2: smtp.users is a list of 1 and has no 2"),
        ("smtp.users.-1=x", "-o smtp.users.-1: smtp.users is a list of 1 and has no -1"),
        ("smtp.users.x.name=x", "-o smtp.users.x.name: smtp.users is a list of 1 and has no x"),
        ("smtp.users.²=x", "-o smtp.users.²: smtp.users is a list of 1 and has no ²"),
        ("smtp.x=[", "-o smtp.x:2:1: while parsing a flow node, did not find expected node content"),
        ("smtp.x={a: 1, a: 2}", "-o smtp.x:1:8: the key a is there twice"),
        ("smtp.x=\udcff", "-o smtp.x: it is not UTF-8 text"),
    ],
)
def test_an_override_that_fits_nowhere_is_one_sentence(tmp_path, override, sentence):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "smtp: {addr: x, users: [{name: a}]}\n", overrides=[override])
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "override", [f"smtp.password.x={SECRET}", f"smtp..password={SECRET}", f"smtp.password=[{SECRET}"]
)
def test_no_sentence_about_an_override_shows_its_value(tmp_path, override):
    path = tmp_path / "rr.yaml"
    path.write_text("version: '3'\nsmtp: {password: x}\n")
    refused_load(path, overrides=[override])


def test_a_file_of_another_version_is_not_saved_by_an_override(tmp_path):
    path = tmp_path / "rr.yaml"
    path.write_text("version: '2'\n")
    assert refused_load(path, overrides=["version='3'"]).startswith("version must be '3'")


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
    said = "xyzzy is not a known key in <python>; known are endure, logs, plugins, smtp, version"
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
