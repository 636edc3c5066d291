"""A real host: `rrpy serve` in a process of its own, its log read line by line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml
from support.waiting import TIMEOUT

RRPY = [sys.executable, "-m", "rrpy"]


class Host:
    """A host that was started in a folder; `lines` is its log, decoded where it is JSON."""

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        environ: dict[str, str] | None = None,
        *,
        command: Sequence[str] = (*RRPY, "serve"),
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.folder = folder
        self.lines: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            pass_fds=pass_fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environ or {})},
        )
        self._reader = threading.Thread(target=self._read, name="log reader")
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"text": raw.decode()}
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self.lines.append({"text": "", "end": True})
            self._news.notify_all()

    def wait_for(self, message: str, count: int = 1, **keys: object) -> list[dict[str, Any]]:
        """Wait until the log has `count` lines with this message and these keys, and return them."""
        deadline = time.monotonic() + TIMEOUT
        with self._news:
            while True:
                found = self.named(message, **keys)
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                ended = bool(self.lines and self.lines[-1].get("end"))
                if ended or not self._news.wait(max(0, left)):
                    raise AssertionError(f"{len(found)} of {count} lines {message!r} {keys} in {self.lines[-30:]}")

    def named(self, message: str, **keys: object) -> list[dict[str, Any]]:
        wanted = keys.items()
        return [line for line in self.lines if line.get("msg") == message and wanted <= _hashable(line).items()]

    def text(self) -> str:
        """Return what was not JSON: what a person would see."""
        return "".join(line["text"] for line in self.lines if "text" in line)

    @property
    def smtp(self) -> tuple[str, int]:
        """Where the SMTP server listens."""
        (line,) = self.wait_for("SMTP server listens")
        host, _, port = line["addr"].removeprefix("tcp://").rpartition(":")
        return host, int(port)

    def ready(self) -> Host:
        self.wait_for("host is ready")
        return self

    def workers(self) -> list[int]:
        """Return the pids of the pool's workers."""
        (table,) = json.loads(self.rrpy("workers", "--json").stdout).values()
        return [state["pid"] for state in table]

    def rrpy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours beside the host."""
        return run(*arguments, cwd=self.folder)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal the host and return its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        try:
            return self.process.wait(TIMEOUT)
        finally:
            self.close()

    def close(self) -> None:
        """Make sure that nothing is left."""
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            self.process.kill()
            psutil.wait_procs(children, timeout=5)
        self.process.wait()
        self._reader.join(TIMEOUT)
        assert self.process.stderr is not None
        self.process.stderr.close()


def _hashable(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if isinstance(value, (str, int, float, bool))}


def run(*arguments: str, cwd: Path, timeout: float = TIMEOUT) -> subprocess.CompletedProcess[str]:
    """Run `rrpy` with these arguments to its end."""
    return subprocess.run(
        [*RRPY, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def configuration(folder: Path, **sections: Any) -> dict[str, Any]:
    """Return a host's configuration: SMTP on a free port, RPC on a unix socket, one worker, the log as JSON."""
    base: dict[str, Any] = {
        "version": "3",
        "rpc": {"listen": f"unix://{folder}/rpc.sock"},
        "server": {},
        "smtp": {"addr": "127.0.0.1:0", "hostname": "buggregator.local", "pool": {"num_workers": 1}},
        "logs": {"encoding": "json", "level": "debug"},
    }
    for name, value in sections.items():
        if value is None:
            base.pop(name, None)
        elif isinstance(value, dict) and isinstance(base.get(name), dict):
            base[name] = {**base[name], **value}
        else:
            base[name] = value
    return base


def write(folder: Path, **sections: Any) -> Path:
    """Write a configuration into the folder."""
    path = folder / "rr.yaml"
    path.write_text(yaml.safe_dump(configuration(folder, **sections)))
    return path


@contextmanager
def hosting(folder: Path, *arguments: str, environ: dict[str, str] | None = None, **sections: Any) -> Iterator[Host]:
    """Run a host until the end of the block, where it is stopped and must end with 0, if the block has not done so."""
    write(folder, **sections)
    host = Host(folder, arguments, environ)
    try:
        yield host.ready()
        if host.process.poll() is None:
            code = host.stop()
            assert code == 0, f"exit code {code}: {host.lines[-20:]}"
    finally:
        host.close()


def gone(pids: Sequence[int], within: float = TIMEOUT) -> bool:
    """Wait until none of the processes is alive; say whether that came true."""
    alive: list[psutil.Process] = []
    for pid in pids:
        try:
            alive.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    return not psutil.wait_procs(alive, timeout=within)[1]
