"""Overrides, as `-o key.path=value` gives them."""

from __future__ import annotations

import pytest
from support.container.sections import SECRET, Smtp, load, refused_load

from rrpy.container.config import Config
from rrpy.container.errors import ConfigError


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


@pytest.mark.parametrize("text", ["", "version: '3'\nrpc:\n", "version:\n"])
@pytest.mark.parametrize("written", ["3", "'3'"])
def test_an_override_gives_the_version_without_quotes_also_for_an_empty_file(tmp_path, text, written):
    path = tmp_path / "rr.yaml"
    path.write_text(text)
    assert Config.load(path, overrides=["rpc.listen=x:1", f"version={written}"]).masked()["version"] == "3"


@pytest.mark.parametrize("written", ["2", "3.0", "true", "[3]", "''"])
def test_an_override_of_the_version_is_checked(tmp_path, written):
    path = tmp_path / "rr.yaml"
    path.write_text("")
    assert refused_load(path, overrides=[f"version={written}"]).startswith("version must be '3'")


def test_a_file_of_another_version_is_not_saved_by_an_override(tmp_path):
    path = tmp_path / "rr.yaml"
    path.write_text("version: '2'\n")
    assert refused_load(path, overrides=["version='3'"]).startswith("version must be '3'")
