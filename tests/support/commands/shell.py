"""A shell on a terminal of its own, and its typing user; TAB completes `rrpy` as its page says."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from support.commands.terminal import TAKE_TERMINAL
from support.waiting import TIMEOUT

_PROMPT = "type here>"
_CONTROL = re.compile(r"\x1b(?:\[[0-9;?<>=]*[ -/]*[a-zA-Z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>])")
_STARTS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
_SET_UP = {
    "bash": f"PS1='{_PROMPT[:4]}''{_PROMPT[4:]}'; eval \"$(rrpy completion bash)\"",
    "zsh": 'autoload -Uz compinit; compinit -u -D; eval "$(rrpy completion zsh)"; '
    f"PS1='{_PROMPT[:4]}''{_PROMPT[4:]}'",
    "fish": f"rrpy completion fish | source; function fish_prompt; echo -n '{_PROMPT[:4]}''{_PROMPT[4:]}'; end",
}
"""The prompt is written in two pieces, so that the line that sets it is not taken for it."""


class Shell:
    """A shell in a folder. A context manager."""

    def __init__(self, name: str, folder: Path) -> None:
        self._ours, its = os.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        home = folder / "home"
        home.mkdir(exist_ok=True)
        environ = {**os.environ, "PATH": path, "TERM": "xterm", "HOME": str(home), "XDG_CONFIG_HOME": str(home)}
        environ |= {"XDG_DATA_HOME": str(home), "XDG_CACHE_HOME": str(home), "HISTFILE": ""}
        self._output = ""
        program, *arguments = _STARTS[name]
        command = [sys.executable, "-c", TAKE_TERMINAL, shutil.which(program) or program, *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=its, stdout=its, stderr=its, start_new_session=True
        )
        os.close(its)
        self._type(_SET_UP[name] + "\n")
        self._wait(1)

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def run(self, keys: str) -> str:
        """Press these keys, then Enter, and return what the terminal shows until the next prompt."""
        seen = len(self._output)
        count = self._prompts()
        self._type(keys)
        self._type("\n")
        self._wait(count + 1)
        return _CONTROL.sub("", self._output[seen:]).replace("\r", "")

    def _type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def _prompts(self) -> int:
        return _CONTROL.sub("", self._output).count(_PROMPT)

    def _wait(self, prompts: int) -> None:
        deadline = time.monotonic() + TIMEOUT
        while self._prompts() < prompts:
            assert time.monotonic() < deadline, f"no prompt comes; it shows:\n{self._output!r}"
            if select.select([self._ours], [], [], 0.2)[0]:
                self._output += os.read(self._ours, 65536).decode(errors="replace")
