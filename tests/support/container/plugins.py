"""A process beside the test: a Python text that runs, says when it is ready, and is never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from support.waiting import TIMEOUT


class Script:
    """A running script. `pid`; `until` waits for its words; `end` for its end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.said: list[str] = []

    def until(self, word: str) -> str:
        """Wait for a line of its stdout that has `word` in it, and return the line."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(line.rstrip("\n"))
            if word in line:
                return line
        raise AssertionError(f"it ended without saying {word}: {self.said} {self._process.communicate()}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> tuple[int, list[str], str]:
        """Wait for its end; return its exit code, all that it said on stdout, and its stderr."""
        out, err = self._process.communicate(timeout=TIMEOUT)
        self.said += out.splitlines()
        return self._process.returncode, self.said, err


@contextlib.contextmanager
def script(text: str, folder: Path, *arguments: str, **environ: str) -> Iterator[Script]:
    """Run a Python text in a folder as a process of its own; it is killed at the end if it still runs."""
    path = folder / "script.py"
    path.write_text(text)
    with subprocess.Popen(
        [sys.executable, "-u", str(path), *arguments],
        cwd=folder,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Script(process)
        finally:
            process.kill()
