"""`rrpy workers` and `rrpy reset` as people run them, beside a real host."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.commands.terminal import Terminal
from support.container.host import RRPY, Host, hosting, run, write
from support.docs.pages import page, write_files
from support.waiting import eventually

from rrpy.cli import main
from rrpy.rpc.client import Client

BREAKABLE = [
    "sh",
    "-c",
    f"test ! -e broken || {{ echo 'no database' >&2; exit 3; }}; exec {sys.executable} -m rrpy.worker",
]
"""A worker that does not come up any more once there is a file `broken`."""

ASKER: dict[str, Any] = {"plugins": ["asker:Asker"], "asker": {}, "smtp": None}
"""The plugin of docs/how-to/plugins.md that owns a pool, in place of the SMTP server."""


def asker(folder: Path) -> None:
    write_files(page("docs/how-to/plugins.md"), folder)


# rrpy reset.


def test_a_reset_replaces_the_workers_of_every_plugin(tmp_path: Path) -> None:
    asker(tmp_path)
    with hosting(tmp_path, plugins=ASKER["plugins"], asker={}, smtp={"pool": {"num_workers": 2}}) as host:
        before = pids(host)
        assert [len(each) for each in before.values()] == [1, 2]
        done = host.rrpy("reset")
        assert done.returncode == 0, done.stderr
        lines = r"asker: 1 worker replaced in \d+\.\d s\nsmtp: 2 workers replaced in \d+\.\d s\n"
        assert re.fullmatch(lines, done.stdout)
        after = pids(host)
        for name, old in before.items():
            assert not set(old) & set(after[name])


def test_a_reset_of_one_plugin_leaves_the_others_alone(tmp_path: Path) -> None:
    asker(tmp_path)
    with hosting(tmp_path, plugins=ASKER["plugins"], asker={}) as host:
        before = pids(host)
        assert host.rrpy("reset", "asker").stdout.startswith("asker: 1 worker replaced in ")
        after = pids(host)
        assert after["smtp"] == before["smtp"]
        assert after["asker"] != before["asker"]


def test_a_reset_whose_worker_does_not_come_up_has_its_words_and_the_old_ones_work_on(tmp_path: Path) -> None:
    asker(tmp_path)
    fine = {"pool": {"num_workers": 1, "command": f"{sys.executable} -m rrpy.worker"}}
    with hosting(tmp_path, **ASKER | {"server": {"command": BREAKABLE}, "smtp": fine}) as host:
        before = pids(host)
        (tmp_path / "broken").touch()
        done = host.rrpy("reset")
        assert done.returncode == 1
        assert re.fullmatch(
            r"asker: the worker command .* with status 3; its last lines on stderr: no database\n", done.stderr
        )
        assert done.stdout.startswith("smtp: 1 worker replaced in "), "the others are reset all the same"
        assert pids(host)["asker"] == before["asker"]
        assert host.rrpy("rpc", "asker.Ask", "why").stdout == '"CONTINUE"\n'
        (tmp_path / "broken").unlink()
        assert host.rrpy("reset", "asker").returncode == 0


def test_a_reset_of_a_plugin_that_is_not_there_replaces_nothing(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        before = host.workers()
        done = host.rrpy("reset", "smtp", "nope")
        assert done.stderr == "rrpy: no such plugin: nope; those that can be reset: smtp\n"
        assert (done.stdout, done.returncode) == ("", 1)
        assert host.workers() == before
        called = host.rrpy("rpc", "resetter.Reset", "nope")
        assert (called.stderr, called.returncode) == ("rrpy: no such plugin: nope\n", 1)


def test_a_reset_that_takes_too_long_is_an_error_of_its_plugin_alone(tmp_path: Path) -> None:
    (tmp_path / "patient.py").write_text(
        "import anyio\n"
        "class Patient:\n"
        "    name = 'patient'\n"
        "    def init(self) -> None: self.ended = anyio.Event()\n"
        "    def worker_groups(self): return {'patient': self}\n"
        "    def workers(self): return []\n"
        "    async def reset(self) -> None: await self.ended.wait()\n"
        "    async def serve(self, *, task_status):\n"
        "        task_status.started()\n"
        "        await self.ended.wait()\n"
        "    async def stop(self): self.ended.set()\n"
    )
    with hosting(tmp_path, plugins=["patient:Patient"]) as host:
        done = host.rrpy("reset", "patient", "smtp", "--timeout", "2")
        assert done.returncode == 1
        assert done.stderr.startswith("patient: ")
        assert "resetter.Reset took more than 2 s" in done.stderr
        assert done.stdout.startswith("smtp: 1 worker replaced in ")


def test_without_owners_of_workers_there_is_nothing_to_reset_or_to_show(tmp_path: Path) -> None:
    with hosting(tmp_path, server=None, smtp=None) as host:
        for command in ("reset", "workers"):
            done = host.rrpy(command)
            said = done.stdout, done.stderr, done.returncode
            assert said == ("No plugin of this host owns workers.\n", "", 0)


def test_a_host_is_found_by_its_file_by_an_override_and_by_its_address(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    address = f"unix://{tmp_path}/rpc.sock"
    with hosting(tmp_path):
        write(elsewhere, rpc={"listen": "${WHERE}"})
        (elsewhere / "some.env").write_text(f"WHERE={address}\n")
        for command in (["reset"], ["workers"], ["rpc", "rpc.Version"]):
            for where in (
                ["-c", "../rr.yaml"],
                ["-w", str(tmp_path)],
                ["-o", f"rpc.listen={address}"],
                ["--dotenv", "some.env"],
                ["--address", address],
            ):
                done = run(*command, *where, cwd=elsewhere)
                assert (done.returncode, done.stderr) == (0, ""), where


def test_a_reset_without_a_host_says_that_nobody_answers(tmp_path: Path) -> None:
    write(tmp_path)
    done = run("reset", cwd=tmp_path)
    assert done.stderr.startswith("rrpy: no rrpy host answers on unix://")
    assert done.returncode == 2


# More and fewer workers.


def test_workers_are_added_and_removed_by_rpc_and_the_last_one_stays(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        assert host.rrpy("rpc", "informer.AddWorker", "smtp").stdout == "true\n"
        assert len(host.workers()) == 2
        figures = {"workers": 2, "waiting": 0, "running": 0, "served": 0, "no_free_workers": 0}
        assert json.loads(host.rrpy("rpc", "informer.Pool", "smtp").stdout) == figures
        assert host.rrpy("rpc", "informer.RemoveWorker", "smtp").stdout == "true\n"
        eventually(lambda: len(host.workers()) == 1, "one worker")
        last = host.rrpy("rpc", "informer.RemoveWorker", "smtp")
        assert last.returncode == 1
        assert "last" in last.stderr
        assert "internal error" not in last.stderr
        assert len(host.workers()) == 1
        for method in ("AddWorker", "RemoveWorker"):
            nobody = host.rrpy("rpc", f"informer.{method}", "nope")
            assert (nobody.stderr, nobody.returncode) == ("rrpy: no such plugin: nope\n", 1)


# rrpy workers -i.


def test_the_live_view_shows_what_the_pools_do_until_ctrl_c(tmp_path: Path) -> None:
    asker(tmp_path)
    with hosting(tmp_path, **ASKER) as host, Client(f"unix://{tmp_path}/rpc.sock") as client:
        (pid,) = pids(host)["asker"]
        with Terminal("workers", "-i", cwd=tmp_path) as terminal:
            terminal.shows(lambda text: f" {pid} " in text, "the worker")

            def at_work(text: str) -> object:
                client.call("asker.Ask", "why")
                return re.search(r"asker: 1 worker, 0 waiting, 0 running, [1-9]\S* executions/s, \d+ served", text)

            terminal.shows(at_work, "executions per second")
            assert terminal.ctrl_c() == 0
            assert terminal.drew()
            assert terminal.restored()


def test_the_live_view_ends_with_the_terminal_as_it_was_when_it_is_terminated(tmp_path: Path) -> None:
    with hosting(tmp_path), Terminal("workers", "--interactive", "smtp", cwd=tmp_path) as terminal:
        terminal.shows(lambda text: "smtp: 1 worker" in text, "the worker")
        assert terminal.terminate() == 0
        assert terminal.restored()


def test_the_live_view_outlives_its_host_and_finds_the_next_one(tmp_path: Path) -> None:
    with hosting(tmp_path) as host, Terminal("workers", "-i", cwd=tmp_path) as terminal:
        (old,) = host.workers()
        terminal.shows(lambda text: f" {old} " in text, "the worker")
        assert host.stop() == 0
        screen = terminal.shows(lambda text: "trying again" in text and f" {old} " in text, "the last picture")
        assert screen.startswith("the host does not answer; trying again")
        with hosting(tmp_path) as another:
            (new,) = another.workers()
            terminal.shows(lambda text: f" {new} " in text and "trying again" not in text, "the new host's worker")
            assert terminal.ctrl_c() == 0
            assert terminal.restored()


def test_ctrl_c_ends_the_live_view_also_while_the_host_keeps_it_waiting(tmp_path: Path) -> None:
    with hosting(tmp_path) as host, Terminal("workers", "-i", cwd=tmp_path) as terminal:
        terminal.shows(lambda text: "smtp: 1 worker" in text, "the worker")
        host.process.send_signal(signal.SIGSTOP)
        try:
            terminal.shows(lambda text: "trying again" in text, "that the host does not answer")
            assert terminal.ctrl_c() == 0
            assert terminal.restored()
        finally:
            host.process.send_signal(signal.SIGCONT)


def test_the_live_view_of_no_host_is_one_sentence(tmp_path: Path) -> None:
    write(tmp_path)
    with Terminal("workers", "-i", cwd=tmp_path) as terminal:
        assert terminal.end() == 2
        assert terminal.screen().startswith("rrpy: no rrpy host answers on unix://")
        assert not terminal.drew()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-i"], "rrpy: -i needs a terminal to draw on; without -i the table is printed once\n"),
        (["-i", "--json"], "rrpy: -i shows a table that changes, --json prints once; say one of them\n"),
    ],
)
def test_a_live_view_that_cannot_be_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run("workers", *arguments, cwd=tmp_path)
    assert (done.stderr, done.stdout, done.returncode) == (said, "", 2)


def test_a_terminal_that_cannot_move_its_cursor_has_no_live_view(tmp_path: Path) -> None:
    with Terminal("workers", "-i", cwd=tmp_path, kind="dumb") as terminal:
        assert terminal.end() == 2
        assert terminal.screen().startswith("rrpy: -i needs a terminal to draw on")
        assert not terminal.drew()


def test_the_table_has_colours_on_a_terminal_alone(tmp_path: Path) -> None:
    with hosting(tmp_path) as host, Terminal("workers", cwd=tmp_path) as terminal:
        assert terminal.end() == 0
        assert "\x1b[32mready" in terminal.text()
        assert "\x1b" not in host.rrpy("workers").stdout


def test_the_table_is_printed_where_only_ascii_can_be(tmp_path: Path) -> None:
    with hosting(tmp_path):
        environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run([*RRPY, "workers"], cwd=tmp_path, env=environ, capture_output=True, check=True)
        assert b"ready" in done.stdout
        assert done.stdout.isascii()


@pytest.mark.parametrize("group", [[], ["config"]], ids=["rrpy", "config"])
def test_help_says_each_command_in_one_whole_line_of_80_columns(group: list[str]) -> None:
    shown = CliRunner().invoke(main, [*group, "--help"], terminal_width=80).output
    _, _, listed = shown.partition("\nCommands:\n")
    lines = listed.splitlines()
    commands = main.commands["config"].commands if group else main.commands  # type: ignore[attr-defined]
    assert [line.split()[0] for line in lines] == sorted(commands)
    for line in lines:
        assert line.endswith(".")
        assert not line.endswith("...")
        assert len(line) <= 80


def test_help_does_not_wait_for_what_draws(tmp_path: Path) -> None:
    listed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "rrpy", "workers", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in listed.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"rich", "anyio", "msgspec", "psutil", "asyncio", "yaml"}


def pids(host: Host) -> dict[str, list[int]]:
    """Return the pids of every plugin's workers that are not on their way out."""
    plugins = json.loads(host.rrpy("workers", "--json").stdout)
    return {
        name: [worker["pid"] for worker in workers if worker["statusStr"] in ("ready", "working")]
        for name, workers in plugins.items()
    }


@pytest.mark.parametrize("command", ["workers", "workers --json", "reset", "rpc rpc.Version", "tail --once"])
def test_a_command_whose_stdout_is_closed_does_its_work_without_a_traceback(tmp_path: Path, command: str) -> None:
    with hosting(tmp_path):
        line = f"{sys.executable} -m rrpy {command} >&-"
        ended = subprocess.run(["/bin/sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")


def test_the_live_view_does_not_leave_the_screen_for_a_letter_that_it_cannot_show(tmp_path: Path) -> None:
    with hosting(tmp_path), Terminal("workers", "-i", cwd=tmp_path, width=30, PYTHONIOENCODING="ascii") as terminal:
        terminal.shows(lambda screen: "smtp" in screen, "the workers")
        assert terminal.ctrl_c() == 0
        assert terminal.drew()
        assert terminal.restored()


def test_a_start_that_fails_ends_also_where_nothing_reads_its_stderr(tmp_path: Path) -> None:
    """The last sentence waited for ever for room in the pipe."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 4096)
    (tmp_path / "rr.yaml").write_text("version: '3'\nserver:\nsmtp: {addr: '127.0.0.1:0', pool: {command: 'false'}}\n")
    try:
        assert subprocess.run([*RRPY, "serve"], cwd=tmp_path, stderr=writer, timeout=60).returncode == 1
    finally:
        os.close(reader)
        os.close(writer)
