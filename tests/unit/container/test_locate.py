"""Where an error says that its key was written: the file, a line of it, or the -o that gave the key."""

from __future__ import annotations

import pytest
from support.container.host import run, write

from rrpy.container.config import Config
from rrpy.container.errors import ConfigError, HostError

TEXT = """\
version: '3'

smtp:
  addr: x
  pool:
    num_workers: 1
rpc: {}
"""


def located(error: HostError, *overridden: str, line: bool = False) -> str:
    Config({}, "rr.yaml", {}, overridden, TEXT).locate(error, line=line)
    return str(error)


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
def test_the_last_override_of_the_key_or_of_what_is_above_it_is_named(overridden, place):
    error = ConfigError("wrong", key="smtp.tls.mode", hint="mend it")
    assert located(error, *overridden) == f"smtp.tls.mode: wrong in {place}; mend it"


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("smtp.addr", "rr.yaml:4"),
        ("smtp.pool.num_workers", "rr.yaml:6"),
        ("smtp.tls.cert", "rr.yaml:3"),
        ("smtp.pool.supervisor.ttl", "rr.yaml:5"),
        ("rpc", "rr.yaml:7"),
        ("nowhere", "rr.yaml"),
    ],
)
def test_the_line_is_that_of_the_key_or_of_the_nearest_section_above_it(key, place):
    assert located(ConfigError("wrong", key=key), line=True) == f"{key}: wrong in {place}"
    assert located(ConfigError("wrong", key=key)) == f"{key}: wrong in rr.yaml"


def test_what_an_override_gave_has_no_line():
    error = ConfigError("wrong", key="smtp.addr")
    assert located(error, "smtp.addr", line=True) == "smtp.addr: wrong in -o smtp.addr"
    error = ConfigError("wrong", key="smtp")
    assert located(error, "smtp.addr", line=True) == "smtp: wrong in rr.yaml with -o smtp.addr"


def test_an_error_without_a_key_and_one_that_is_not_the_configuration_s_stay_as_they_are():
    assert located(ConfigError("plugin x needs y", hint="add it"), "x", line=True) == "plugin x needs y; add it"
    assert located(HostError("smtp.addr: taken"), "smtp.addr", line=True) == "smtp.addr: taken"


def test_a_reason_that_begins_with_is_follows_the_key_without_a_colon():
    assert located(ConfigError("is 'x'", key="smtp.addr", hint="it is written host:port")) == (
        "smtp.addr is 'x' in rr.yaml; it is written host:port"
    )
    assert located(ConfigError("isolated", key="smtp.addr")) == "smtp.addr: isolated in rr.yaml"


def test_an_error_that_is_more_than_its_text_stays_itself():
    class Special(ConfigError):
        exit_code = 3

    error = Special("wrong", key="a")
    assert located(error, "a") == "a: wrong in -o a"
    assert error.exit_code == 3


def test_the_host_names_the_option_for_what_it_gave_and_the_file_for_the_rest(tmp_path):
    write(tmp_path, smtp={"max_errors": "many"})
    for option, place in (
        ("smtp.max_errors=some", "smtp.max_errors: expected a whole number, got 'some' in -o smtp.max_errors"),
        ("smtp.addr=nowhere", "smtp.addr is 'nowhere' in -o smtp.addr; it is written"),
        ("smpt.addr=x", "smpt is not a known key in rr.yaml with -o smpt.addr"),
        ("rpc.listen=nowhere", "rpc.listen is 'nowhere' in -o rpc.listen; an address is written"),
        (
            "logs.level=loud",
            "logs.level: expected one of debug, info, warn, warning, error, got 'loud' in -o logs.level",
        ),
        ("version=2", "version must be '3' in -o version, got '2'"),
    ):
        fixed = [] if option.startswith("smtp.max") else ["-o", "smtp.max_errors=1"]
        done = run("serve", *fixed, "-o", option, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith(f"rrpy: {place}")
    assert "in rr.yaml\n" in run("serve", "-o", "smtp.addr=127.0.0.1:0", cwd=tmp_path).stderr
