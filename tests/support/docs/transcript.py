"""Run a page against real hosts: its commands, its log lines and its prompt, in order."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from support.container.host import RRPY, Host
from support.docs.pages import UUID, Block, Command, commands, plain
from support.waiting import TIMEOUT

ADDRESSES = {
    "rpc": ("rpc.listen", "tcp://127.0.0.1:6001", "rpc is listening"),
    "smtp": ("smtp.addr", "127.0.0.1:1025", "SMTP server listens"),
    "inbox": ("inbox.address", "127.0.0.1:8025", "inbox    HTTP server listens"),
    "status": ("status.address", "127.0.0.1:2114", "status   HTTP server listens"),
    "metrics": ("metrics.address", "127.0.0.1:2112", "metrics  HTTP server listens"),
}
"""The listening plugins by their section: the key of the address, its default, and the line of the log."""

_INSTALL = re.compile(r"^python3 -m venv .venv && .venv/bin/pip install -q -e (?:\.|'.\[dev\]') && ")
_CATCH = re.compile(r"\brrpy catch (?=.*-- )")
"""A catcher around a command."""
_ASKS = re.compile(r"\brrpy (rpc|workers|rules|reset|tail|jobs)\b")
_BIN = Path(sys.executable).parent


class ConsoleHost(Host):
    """A host whose log is for people. `named` and `wait_for` find a line by a part of it."""

    def named(self, message: str, **keys: object) -> list[dict[str, Any]]:
        return [line for line in self.lines if message in line.get("text", "")]

    def address(self, message: str) -> str:
        """Return the `host:port` that a line names."""
        (line,) = self.wait_for(message)
        found = re.search(r"127\.0\.0\.1:\d+", line["text"])
        assert found is not None, line
        return found[0]


class Transcript:
    """The terminals of a page. A context manager; `host` is the host that the page started last.

    `known`: addresses and uuids of the page, and their values in this run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host: ConsoleHost | None = None
        self.known: dict[str, str] = {}
        self._prompt: dict[str, Any] = {}
        self._shown = ""
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Transcript:
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()
        if self.host is not None:
            self.host.close()

    def start(self, *arguments: str) -> None:
        """Stop the current host, and start one on free ports, which replace the page's ports from here on."""
        self.stop()
        tree = yaml.safe_load((self.folder / self._file(arguments)).read_text())
        overrides: list[str] = []
        listening = [section for section in ADDRESSES if section in tree]
        for section in listening:
            key, _, _ = ADDRESSES[section]
            overrides += ["-o", f"{key}={'tcp://' * (section == 'rpc')}{self._real_address(section, tree)}"]
        self.host = ConsoleHost(self.folder, [*arguments, *overrides], self.environ())
        self.host.ready()
        for section in listening:
            assert self.host.address(ADDRESSES[section][2]) == self._real_address(section, tree)

    def catch(self, *options: str) -> str:
        """Stop the current host, start `rrpy catch` on the page's ports as `start` does, and return what it prints."""
        self.stop()
        for shown in ("1025", "8025"):
            real = self.free_port(f"127.0.0.1:{shown}")
            self.known[f"localhost:{shown}"] = real.replace("127.0.0.1", "localhost")
        smtp, page = self.known["localhost:1025"], self.known["localhost:8025"]
        command = ["sh", "-c", 'exec "$@" >&2', "sh", *RRPY, "catch", "--smtp", smtp, "--http", page]
        self.host = ConsoleHost(self.folder, options, self.environ(), command=command)
        self.host.wait_for("to stop")
        return self.host.text()

    def _real_address(self, section: str, tree: dict[str, Any]) -> str:
        """Return the address of a section's server in this run: a free port for all hosts of the page."""
        return self.free_port(self._shown_address(section, tree))

    def free_port(self, shown: str) -> str:
        """Return the address that an address of the page has in this run."""
        if shown not in self.known:
            holder = socket.socket()  # on Linux no other socket gets the port of one that is bound and does not listen
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", 0))
            self.known[shown] = f"127.0.0.1:{holder.getsockname()[1]}"
            if sys.platform == "linux":
                self._held.enter_context(holder)
            else:
                holder.close()
        return self.known[shown]

    def _shown_address(self, section: str, tree: dict[str, Any]) -> str:
        key, default, _ = ADDRESSES[section]
        return str((tree[section] or {}).get(key.partition(".")[2], default)).removeprefix("tcp://")

    def _file(self, arguments: tuple[str, ...]) -> str:
        return arguments[arguments.index("-c") + 1] if "-c" in arguments else "rr.yaml"

    def _until_ready(self) -> str:
        assert self.host is not None
        lines = [line.get("text", "") for line in self.host.lines]
        return "".join(lines[: next(number for number, line in enumerate(lines) if "host is ready" in line) + 1])

    def environ(self) -> dict[str, str]:
        """Return the environment of the page's commands: the folder is the home, `rrpy` and `python` are ours.

        `rrpy send` takes the port of the page's catcher from it, and a client of RPC that of the host, which the page
        leaves out as the default.
        """
        host, _, port = self.known.get("localhost:1025", "").rpartition(":")
        rpc = self.known.get("127.0.0.1:6001")
        return {
            **os.environ,
            **({"SMTP_HOST": host, "SMTP_PORT": port} if port else {}),
            **({"RR_RPC": f"tcp://{rpc}"} if rpc else {}),
            "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def console(self, block: Block) -> None:
        """Run the commands of a block, and compare what each prints."""
        for command in commands(block):
            self._run(command)

    def log(self, block: Block) -> None:
        """Remember lines that the host must log before it ends."""
        self._shown += block.text

    def prompt(self, block: Block) -> None:
        """Type a block into a Python prompt."""
        test = doctest.DocTestParser().get_doctest(self.real(block.text), self._prompt, "prompt", None, None)
        report = io.StringIO()
        with contextlib.redirect_stdout(report):
            result = doctest.DocTestRunner().run(test, clear_globs=False)
        assert not result.failed, report.getvalue()
        self._prompt = test.globs

    def shell(self, script: str, timeout: float = 2 * TIMEOUT, **environ: str) -> str:
        """Run a script of the page, and return its output. It must end with 0."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.real(script)],
            cwd=self.folder,
            env={**self.environ(), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout

    def rrpy(self, command: str, *arguments: str) -> str:
        """Return the output of a command that calls the host."""
        address = f"tcp://{self.known['127.0.0.1:6001']}"
        return self.shell(shlex.join(["rrpy", command, *arguments, "--address", address]))

    def real(self, text: str) -> str:
        """Return a text with the page's ports and uuids replaced by those of this run."""
        text = _CATCH.sub("rrpy catch --smtp :0 --http :0 ", text)
        for shown, real in self.known.items():
            text = text.replace(shown, real)
            if ":" in shown:  # a port beside its host, as in `SMTP('127.0.0.1', 1025)`
                text = re.sub(rf"\b{shown.rpartition(':')[2]}\b", real.rpartition(":")[2], text)
        return text

    def stop(self) -> None:
        """Stop the host, if there is one, and compare its log with the lines of the page."""
        if self.host is None:
            return
        ended = self.host.named("host is stopping") or self.host.process.poll() is not None
        code = self.host.wait() if ended else self.host.stop(signal.SIGINT)
        assert code == 0, self.host.text()
        real = plain(self.host.text()).splitlines()
        assert [line for line in plain(self._shown).splitlines() if line not in real] == [], self.host.text()
        self._shown, self.host = "", None

    def _run(self, command: Command) -> None:
        line = _INSTALL.sub("", command.line).replace(".venv/bin/", "")
        words = shlex.split(line)
        if words[:2] == ["rrpy", "serve"] and (not command.output or "host is ready" in command.output):
            self.start(*words[2:])
            if command.output:
                printed = self._until_ready()
                same = sorted(plain(printed).splitlines()) == sorted(plain(command.output).splitlines())
                assert same, f"{command.line}\nprinted: {printed}\nthe page says: {command.output}"
            return
        if words[:2] == ["rrpy", "catch"] and "--" not in words:
            printed = self.catch(*words[2:])
            assert plain(printed) == plain(command.output), f"{command.line}\nprinted: {printed}"
            return
        if "127.0.0.1:6001" in self.known:
            line = _ASKS.sub(rf"rrpy \1 --address tcp://{self.known['127.0.0.1:6001']}", line)
        printed = self._output(line)
        same = plain(_same_form(printed)) == plain(_same_form(command.output))
        assert same, f"{command.line}\nprinted: {printed}\nthe page says: {command.output}"
        self.known.update(zip(UUID.findall(command.output), UUID.findall(printed), strict=True))

    def _output(self, line: str) -> str:
        return subprocess.run(
            ["bash", "-c", self.real(line)],
            cwd=self.folder,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * TIMEOUT,
            check=False,
        ).stdout


def _same_form(text: str) -> str:
    """Return JSON, which is indented on a terminal only, in one form, and other text unchanged."""
    try:
        return json.dumps(json.loads(text))
    except ValueError:
        return text
