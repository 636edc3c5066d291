"""The configuration's file, and the environment that its variables come from."""

from __future__ import annotations

import os

import pytest
from support.container.sections import SECRET, Smtp, load, refusal, refused_load

from rrpy.container.config import Config
from rrpy.container.errors import ConfigError


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
    other = tmp_path / "mail.yaml"
    assert refused_load(other) == f"cannot read the configuration {other}: no such file or directory"
    hint = "`rrpy catch` catches mail without one, `rrpy init` writes one"
    assert refused_load(path) == f"cannot read the configuration {path}: no such file or directory; {hint}"
    assert refused_load(tmp_path) == f"cannot read the configuration {tmp_path}: is a directory"
    for folder in ("/", "."):
        assert refused_load(folder) == f"cannot read the configuration {folder}: is a directory"
    assert refused_load("") == "no configuration file is named: its name is empty"
    path.write_bytes(b"version: '\xff'")
    assert refused_load(path) == f"cannot read the configuration {path}: it is not UTF-8 text"


def test_a_byte_order_mark_of_windows_is_no_obstacle(tmp_path):
    path = tmp_path / "rr.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: '3'\r\nsmtp: {}\r\n")
    assert Config.load(path).has("smtp")


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
