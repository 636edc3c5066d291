"""TAB in real shells: what it completes is run, so that the answer tells what stood on the line."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from support.commands.shell import Shell
from support.container.host import RRPY, hosting, write

from rrpy import __version__

SHELLS = [pytest.param(name, marks=pytest.mark.program(name)) for name in ("bash", "zsh", "fish")]


@pytest.mark.parametrize("name", SHELLS)
def test_tab_completes_what_a_running_host_knows(name: str, tmp_path: Path) -> None:
    with hosting(tmp_path), Shell(name, tmp_path) as shell:
        assert f'"{__version__}"' in shell.run("rrpy rpc rpc.Ver\t")
        assert '"smtp": [' in shell.run("rrpy workers --json sm\t")
        assert "smtp: 1 worker replaced" in shell.run("rrpy reset sm\t")
        address = f"--address unix://{tmp_path}/rpc.sock"
        assert f'"{__version__}"' in shell.run(f"cd home; rrpy rpc {address} rpc.Ver\t")
        assert f'"{__version__}"' in shell.run("rrpy rpc -c ../rr.yaml -o rpc.max_connections=9 rpc.Ver\t")


@pytest.mark.parametrize("name", SHELLS)
def test_tab_completes_commands_keys_and_files_without_a_host(name: str, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "another.yaml").write_text("version: '3'\n")
    with Shell(name, tmp_path) as shell:
        assert "rr.yaml is fine" in shell.run("rrpy conf\tche\t")
        assert "got -1 in -o smtp.max_errors" in shell.run("rrpy config check -o smtp.max_err\t-1")
        assert "another.yaml is fine: no plugins" in shell.run("rrpy config check -c anoth\t")
        shown = shell.run("rrpy rpc rpc.Ver\t")
        assert "rrpy: no rrpy host answers on unix://" in shown
        assert "Traceback" not in shown
        assert shown.count("rrpy: ") == 1, "TAB itself says nothing"


def offered(line: str, folder: Path) -> list[str]:
    """Return what is offered for the last word of a line, as the script for bash asks for it."""
    words = line.split(" ")
    environ = {**os.environ, "_RRPY_COMPLETE": "bash_complete", "COMP_WORDS": line.strip()}
    environ["COMP_CWORD"] = str(len(words) - 1)
    done = subprocess.run(RRPY, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("rrpy serve -c x", "file,x"),
        ("rrpy tail --dotenv x", "file,x"),
        ("rrpy workers -w x", "dir,x"),
        ("rrpy init x", "file,x"),
        ("rrpy config schema -c x", "file,x"),
    ],
)
def test_files_and_folders_are_left_to_the_shell(line: str, kind: str, tmp_path: Path) -> None:
    assert offered(line, tmp_path) == [kind]


def test_keys_are_offered_in_full_and_sections_by_their_keys(tmp_path: Path) -> None:
    assert offered("rrpy serve -o smtp.tls.", tmp_path) == [
        f"plain,smtp.tls.{key}=" for key in ("cert", "key", "mode", "required", "min_version", "client_ca")
    ]
    assert offered("rrpy serve -o smtp.addr=", tmp_path) == []
    assert "plain,endure.grace_period=" in offered("rrpy rpc -o ", tmp_path)


def test_names_that_are_there_already_are_not_offered_again(tmp_path: Path) -> None:
    with hosting(tmp_path):
        assert offered("rrpy workers ", tmp_path) == ["plain,smtp"]
        assert offered("rrpy workers smtp ", tmp_path) == []
        assert offered("rrpy rpc -c nowhere.yaml ", tmp_path) == []
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        assert "plain,smtp.Wait" in offered("rrpy rpc -w .. sm", elsewhere)
        assert offered("rrpy rpc -w nowhere sm", elsewhere) == []


def test_a_host_that_hangs_does_not_hold_the_prompt(tmp_path: Path) -> None:
    write(tmp_path)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "rpc.sock"))
        silent.listen()
        assert offered("rrpy rpc ", tmp_path) == []


def test_a_shell_that_is_not_known_is_told_those_that_are(tmp_path: Path) -> None:
    done = subprocess.run([*RRPY, "completion", "tcsh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is not one of 'bash', 'zsh', 'fish'" in done.stderr
