"""Options before the command, as RoadRunner takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rrpy.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.yaml").write_text("version: '3'\nrpc:\n  listen: ${LISTEN}\n")
    (tmp_path / "vars").write_text("LISTEN=tcp://127.0.0.1:0\n")
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words, env={"LISTEN": None})


@pytest.mark.parametrize(
    "words",
    [
        "-c other.yaml --dotenv vars config check",
        "--config=other.yaml config check --dotenv vars",
        "-c rr.yaml --dotenv vars config check -c other.yaml",
        "-w . --dotenv vars config check other.yaml",
        "-c other.yaml -o rpc.listen=unix:///x config check",
        "-c other.yaml -o rpc.listen=x config check -o rpc.listen=unix:///x",
        "-c other.yaml -o rpc.listen=${UNSET:-unix:///x} -o rpc.max_connections=7 config check",
    ],
)
def test_an_option_before_the_command_is_the_commands(words: str) -> None:
    result = run(*words.split())
    assert (result.exit_code, result.output) == (0, "other.yaml is fine: plugins rpc\n")


def test_every_override_counts_and_the_commands_own_comes_last() -> None:
    result = run("-c", "other.yaml", "-o", "rpc.listen=x", "config", "check", "-o", "rpc.max_connections=0")
    assert result.exit_code == 2
    assert "rpc.max_connections: " in result.output
    result = run("-c", "other.yaml", "-o", "rpc.listen=unix:///x", "config", "check", "-o", "rpc.listen=x")
    assert result.output.startswith("rrpy: rpc.listen is 'x' in -o rpc.listen")


@pytest.mark.parametrize(
    ("words", "option"), [("-c x stop", "--config"), ("-d workers", "--debug"), ("-s config check", "--silent")]
)
def test_a_command_refuses_an_option_that_it_does_not_take(words: str, option: str) -> None:
    result = run(*words.split())
    assert result.exit_code == 2
    assert f"No such option '{option}'" in result.output


def test_the_options_before_a_command_do_not_stand_for_one() -> None:
    result = run("-c", "other.yaml")
    assert (result.exit_code, "Missing command" in result.output) == (2, True)
