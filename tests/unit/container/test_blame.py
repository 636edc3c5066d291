"""What an error blames: the file, a line of it, or the -o that gave the key."""

from __future__ import annotations

import pytest
from support.container.host import run, write

from rrpy.container.config import Config
from rrpy.container.config.blame import blamed, key_of, with_line
from rrpy.container.errors import ConfigError

LINES = {"smtp": 3, "smtp.addr": 4, "rpc": 9, "rpc.listen": 10}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("smtp.addr: expected `str` in rr.yaml", "smtp.addr"),
        ("rr.yaml: rpc.listen: no address", "rpc.listen"),
        ("smtp.addr is 'x' in rr.yaml; it is written host:port", "smtp.addr"),
        ("smpt is not a known key in rr.yaml", "smpt"),
        ("", ""),
    ],
)
def test_an_error_begins_with_its_key(text, key):
    assert key_of(text, "rr.yaml") == key


@pytest.mark.parametrize(
    ("overridden", "place"),
    [
        (["smtp.tls.mode"], "-o smtp.tls.mode"),
        (["smtp.tls"], "-o smtp.tls"),
        (["smtp", "smtp.tls"], "-o smtp.tls"),
        (["smtp.tls", "smtp.addr"], "-o smtp.tls"),
        (["smtp.tls.mode.x"], "rr.yaml with -o smtp.tls.mode.x"),
        (["smtp.tls.mod"], "rr.yaml"),
        (["smtp.tls.modes"], "rr.yaml"),
        ([], "rr.yaml"),
    ],
)
def test_the_last_override_of_the_key_or_of_what_is_above_it_is_blamed(overridden, place):
    assert (
        blamed("smtp.tls.mode: wrong in rr.yaml; see", "rr.yaml", overridden) == f"smtp.tls.mode: wrong in {place}; see"
    )


def test_a_text_that_begins_with_the_file_begins_with_the_override():
    assert blamed("rr.yaml: rpc.listen: none", "rr.yaml", ["rpc.listen"]) == "-o rpc.listen: rpc.listen: none"
    assert blamed("rpc.listen: none", "rr.yaml", ["rpc.listen"]) == "rpc.listen: none"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("smtp.addr: wrong in rr.yaml", "smtp.addr: wrong in rr.yaml:4"),
        ("smtp.tls.cert: wrong in rr.yaml", "smtp.tls.cert: wrong in rr.yaml:3"),
        ("rr.yaml: rpc.listen: none", "rr.yaml:10: rpc.listen: none"),
        ("smtp.addr: wrong", "smtp.addr: wrong (rr.yaml:4)"),
        ("plugin x needs y", "plugin x needs y"),
        ("smtp.addr: wrong in -o smtp.addr", "smtp.addr: wrong in -o smtp.addr"),
        ("smtp: wrong in rr.yaml with -o smtp.addr", "smtp: wrong in rr.yaml with -o smtp.addr"),
        ("", ""),
    ],
)
def test_the_line_is_that_of_the_key_or_of_the_nearest_section_above_it(text, told):
    assert with_line(text, "rr.yaml", LINES) == told
    assert with_line(told, "rr.yaml", LINES) == told


def test_the_host_blames_the_option_for_what_it_gave_and_the_file_for_the_rest(tmp_path):
    write(tmp_path, smtp={"max_errors": "many"})
    for option, place in (
        ("smtp.max_errors=some", "smtp.max_errors: expected a whole number, got 'some' in -o smtp.max_errors"),
        ("smtp.addr=nowhere", "smtp.addr is 'nowhere' in -o smtp.addr; it is written"),
        ("smpt.addr=x", "smpt is not a known key in rr.yaml with -o smpt.addr"),
        ("rpc.listen=nowhere", "-o rpc.listen: rpc.listen: an address"),
        (
            "logs.level=loud",
            "logs.level: expected one of debug, info, warn, warning, error, got 'loud' in -o logs.level",
        ),
        ("version=2", "version must be '3' as a string, in quotes in -o version, got 2"),
    ):
        fixed = [] if option.startswith("smtp.max") else ["-o", "smtp.max_errors=1"]
        done = run("serve", *fixed, "-o", option, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith(f"rrpy: {place}")
    assert "in rr.yaml\n" in run("serve", "-o", "smtp.addr=127.0.0.1:0", cwd=tmp_path).stderr


def test_an_error_that_is_more_than_its_text_stays_itself(tmp_path):
    class Special(ConfigError):
        pass

    config = Config({}, "rr.yaml", {}, ["a"])
    error = Special("a: wrong in rr.yaml")
    assert config.blamed(error) is error
    assert str(config.blamed(ConfigError("a: wrong in rr.yaml"))) == "a: wrong in -o a"
