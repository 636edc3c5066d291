"""A host whose configuration is wrong: one sentence, and the exit code."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from support.container.host import run, write


def _busy_port() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


@pytest.mark.parametrize(
    ("sections", "code", "said"),
    [
        (
            {"smtp": {"max_recipients": "many"}},
            2,
            "smtp.max_recipients: expected a whole number, got 'many' in rr.yaml",
        ),
        (
            {"smtp": {"max_recipient": 1}},
            2,
            "smtp.max_recipient is not a known key in rr.yaml; did you mean max_recipients?",
        ),
        ({"smpt": {}}, 2, "smpt is not a known key in rr.yaml; did you mean smtp?"),
        ({"smtp": {"read_timeout": "soon"}}, 2, "smtp.read_timeout: expected a duration such as 10s, 1m30s or 500ms"),
        ({"smtp": {"addr": "nowhere"}}, 2, "smtp.addr is 'nowhere' in rr.yaml"),
        (
            {"smtp": {"tls": {"cert": "none.pem", "key": "none.pem"}}},
            2,
            "smtp.tls.cert is none.pem in rr.yaml; it cannot be read: no such file or",
        ),
        (
            {"server": None, "smtp": {"deliver": "workers"}},
            2,
            "smtp.deliver is workers, which needs the section server",
        ),
        ({"server": {"command": "no-such-command --now"}}, 1, "no-such-command"),
        ({"server": {"command": "sh -c 'echo the reason >&2; exit 3'"}}, 1, "the reason"),
        ({"rpc": {"listen": "tcp://0.0.0.0:6001"}}, 2, "rpc.allow_remote: true"),
        ({"plugins": ["nowhere:Nothing"]}, 2, "plugins.0 is 'nowhere:Nothing'; nowhere cannot be imported"),
        ({"logs": {"output": "rr.yaml/rrpy.log"}}, 2, "logs.output: cannot write to rr.yaml/rrpy.log"),
        ({"version": "2"}, 2, "version must be '3' in rr.yaml, got '2'"),
        ({"smtp": {"hostname": "${NO_SUCH_VARIABLE}"}}, 2, "the environment variable NO_SUCH_VARIABLE is not set"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_broken_configuration_ends_with_one_sentence(
    tmp_path: Path, sections: dict[str, Any], code: int, said: str
) -> None:
    write(tmp_path, **sections)
    ended = run("serve", cwd=tmp_path)
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("rrpy: ")
    assert said in last
    assert "Traceback" not in ended.stderr
    assert ended.returncode == code


def test_a_port_in_use_ends_with_one_sentence(tmp_path: Path) -> None:
    with _busy_port() as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        write(tmp_path, smtp={"addr": address})
        ended = run("serve", cwd=tmp_path)
        last = ended.stderr.strip().splitlines()[-1]
        assert last == (
            f"rrpy: cannot listen on tcp://{address} (smtp.addr): address already in use; end the other program, or "
            "take free ports, which the log names: -o smtp.addr=tcp://127.0.0.1:0"
        )
        assert ended.returncode == 1
        write(tmp_path, rpc={"listen": f"tcp://{address}"})
        ended = run("serve", cwd=tmp_path)
        assert f"cannot listen on tcp://{address} (rpc.listen): address already in use" in ended.stderr.splitlines()[-1]
        assert ended.returncode == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot read the configuration rr.yaml: no such file or directory"),
        ("version: '3'\nsmtp: [", "rr.yaml:3:1: while parsing a flow node"),
        ("- a\n", "rr.yaml must be a mapping of sections, not a list"),
        ("version: 3\n", "version must be '3' as a string, in quotes in rr.yaml, got 3"),
        ("smtp: {}\n", "rr.yaml has no `version: '3'`, which is mandatory"),
        ("version: '3'\nsmtp:\nsmtp:\n", "rr.yaml:3:1"),
        ("\xff", "cannot read the configuration rr.yaml: it is not UTF-8 text"),
    ],
)
def test_a_broken_file_ends_with_one_sentence(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "rr.yaml").write_text(text, encoding="latin-1")
    ended = run("serve", cwd=tmp_path)
    assert ended.stderr.count("\n") == 1
    assert said in ended.stderr
    assert ended.returncode == 2


def test_an_override_cannot_change_the_version(tmp_path: Path) -> None:
    write(tmp_path)
    ended = run("serve", "-o", "version=4", cwd=tmp_path)
    assert "version must be '3' in -o version, got '4'" in ended.stderr
    deep = run("serve", "-o", "smtp." + "a." * 3000 + "b=1", cwd=tmp_path)
    assert "a key has at most 32 parts" in deep.stderr
    assert deep.returncode == 2


@pytest.mark.parametrize("levels", [600, 60_000])  # libyaml 0.2.6 has a limit of its own, 1,000
def test_yaml_that_is_nested_too_deeply_is_one_sentence(tmp_path: Path, levels: int) -> None:
    (tmp_path / "rr.yaml").write_text("version: '3'\nserver: " + "[" * levels)
    ended = run("serve", cwd=tmp_path)
    assert ended.stderr.startswith("rrpy: rr.yaml:2:")
    assert "nest" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.returncode == 2
