"""Foreign text in the output of a command: a terminal obeys none of it."""

from __future__ import annotations

import base64
import json
import smtplib
import sys
from pathlib import Path

import pytest
from support.container.host import hosting, run, write

CONTROLS = "a\x1b[2J\x7f\x9b2J\x85\u2028\u202e\u2066z"
"""ANSI and C1 sequences, DEL, a line separator, and controls that turn the direction of a line."""


def shows_no_control(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def test_mail_in_a_result_is_shown_as_it_came(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        with smtplib.SMTP(*host.smtp) as client:
            subject = base64.b64encode(CONTROLS.encode()).decode()
            client.sendmail("a@b.c", ["x@y.z"], f"Subject: =?utf-8?b?{subject}?=\n\nHi\n")
        called = host.rrpy("rpc", "smtp.Wait", '{"cursor": 0, "history": "", "timeout": 0}').stdout
        as_json, tail = host.rrpy("tail", "--once", "--json").stdout, host.rrpy("tail", "--once").stdout
    assert shows_no_control(called)
    assert shows_no_control(as_json)
    assert shows_no_control(tail)
    assert json.loads(called)["messages"][0]["subject"] == json.loads(as_json)["subject"]
    assert "\x9b2J" in json.loads(called)["messages"][0]["subject"]


def test_a_worker_s_last_words_are_shown_by_reset_as_they_came(tmp_path: Path) -> None:
    (tmp_path / "words").write_text(f"{CONTROLS}\n")
    command = ["sh", "-c", f"test ! -e broken || {{ cat words >&2; exit 3; }}; exec {sys.executable} -m rrpy.worker"]
    with hosting(tmp_path, server={"command": command}) as host:
        (tmp_path / "broken").touch()
        ended = host.rrpy("reset")
        (tmp_path / "broken").unlink()
    assert ended.returncode == 1
    assert shows_no_control(ended.stderr)
    assert r"a\x1b[2J\x7f\x9b2J\x85\u2028\u202e\u2066z" in ended.stderr


@pytest.mark.parametrize("command", [("serve",), ("config", "check")])
def test_a_configuration_in_an_error_is_shown_as_it_is(tmp_path: Path, command: tuple[str, ...]) -> None:
    write(tmp_path, **{CONTROLS: {}})
    ended = run(*command, cwd=tmp_path)
    assert ended.returncode == 2
    assert shows_no_control(ended.stderr)
    assert r"\x9b2J\x85\u2028" in ended.stderr
