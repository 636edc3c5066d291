"""A command of ours on a terminal of its own: what it draws is read, keys are pressed."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

from support.container.host import RRPY
from support.waiting import TIMEOUT

_HOME = "\x1b[H"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_MODES = {"other screen": "?1049", "cursor": "?25"}
TAKE_TERMINAL = "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); os.execv(sys.argv[1], sys.argv[1:])"
"""The leader of a session gets the first terminal that it opens, and with it the signals of Ctrl+C."""


class Terminal:
    """A terminal of 30 lines on which `rrpy` runs with these arguments. A context manager. `kind`: as TERM says it."""

    def __init__(
        self, *arguments: str, cwd: Path, kind: str = "xterm-256color", width: int = 100, **environ: str
    ) -> None:
        self._ours, self._its = os.openpty()
        fcntl.ioctl(self._its, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
        self._before = termios.tcgetattr(self._its)
        self._output = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *RRPY, *arguments],
            cwd=cwd,
            env={**os.environ, "TERM": kind, **environ},
            stdin=self._its,
            stdout=self._its,
            stderr=self._its,
            start_new_session=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._its)

    def shows(self, holds: Callable[[str], object], what: str) -> str:
        """Wait until the screen is so, and return it."""
        deadline = time.monotonic() + TIMEOUT
        while not holds(self.screen()):
            assert time.monotonic() < deadline, f"never: {what}; it shows:\n{self.screen()}"
            assert self.process.poll() is None, f"{what}; it ended, showing:\n{self.screen()}"
            self._read(0.2)
        return self.screen()

    def screen(self) -> str:
        """Return the picture that was drawn last, as far as it has been read."""
        return _CONTROL.sub("", self.text().rpartition(_HOME)[2]).replace("\r", "")

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def end(self) -> int:
        """Wait for the end of the command and return its exit code."""
        deadline = time.monotonic() + TIMEOUT
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end, showing:\n{self.screen()}"
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def ctrl_c(self) -> int:
        """Press Ctrl+C and return the exit code."""
        self.press(b"\x03")
        return self.end()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def drew(self) -> bool:
        """Say whether it was on the other screen at any time."""
        return f"\x1b[{_MODES['other screen']}h" in self.text()

    def restored(self) -> bool:
        """Say whether the terminal is as it was: its own screen, a cursor, the same settings."""
        text = self.text()
        screen, cursor = ([text.rfind(f"\x1b[{mode}{end}") for end in "lh"] for mode in _MODES.values())
        return screen[0] >= screen[1] and cursor[1] >= cursor[0] and termios.tcgetattr(self._its) == self._before

    def text(self) -> str:
        """Return all that came to the terminal, control sequences too."""
        return self._output.decode(errors="replace")

    def _read(self, timeout: float) -> bool:
        if not select.select([self._ours], [], [], timeout)[0]:
            return False
        self._output += os.read(self._ours, 65536)
        return True
