"""An output of the log: stderr, stdout or a file, in one encoding. loguru owns the files."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import sys
from collections.abc import Callable
from typing import Any, Final, TextIO

import loguru

from ..errors import ConfigError, reason_of
from ..ownership import open_own
from .format import Render

FLUSH_AFTER: Final = 0.05
"""Seconds for which a line below WARNING may wait for others."""


class Output:
    """One destination in one encoding. Any thread may write.

    `destination`: `stderr`, `stdout` or a path. Raises ConfigError for a file that cannot be opened.
    """

    def __init__(self, destination: str, render: Render) -> None:
        self.render = render
        self._destination = destination
        self._lines: collections.deque[str] = collections.deque()
        self._timer: asyncio.TimerHandle | None = None
        self._logger = loguru.logger.bind(rrpy_output=id(self)).opt(raw=True)
        # To loguru a path is a pattern; to us it is a path.
        stream = _stream(destination)
        sink: Any = stream or destination.replace("{", "{{").replace("}", "}}")
        of_a_file: dict[str, Any] = {} if stream else {"opener": open_own}
        try:
            self._handler = loguru.logger.add(
                sink, level=0, format="{message}", filter=self._is_ours, colorize=False, catch=False, **of_a_file
            )
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot write to {destination}: {reason_of(error)}", key="logs.output") from None

    def write(self, line: str, *, urgent: bool) -> None:
        """Add a line, which ends in a newline. `urgent`: flush at once."""
        self._lines.append(line)
        if urgent:
            self.flush()
        elif self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(FLUSH_AFTER, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Hand every line to loguru. Lines that cannot be written are lost; stderr gets the reason."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines = []
        with contextlib.suppress(IndexError):
            while True:
                lines.append(self._lines.popleft())
        if lines:
            try:
                self._logger.log("INFO", "".join(lines))
            except OSError as error:
                _write_to("stderr", f"cannot write the log to {self._destination}: {reason_of(error)}\n")

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        with contextlib.suppress(OSError, ValueError):  # a full disk; a plugin that has removed every handler of loguru
            loguru.logger.remove(self._handler)

    def _is_ours(self, record: Any) -> bool:
        return bool(record["extra"].get("rrpy_output") == id(self))


def _stream(destination: str) -> Callable[[str], None] | None:
    """Return a writer to stderr or stdout, None for another destination."""
    return functools.partial(_write_to, destination) if destination in ("stderr", "stdout") else None


def _write_to(destination: str, text: str) -> None:
    """Write to stderr or stdout; a reader that has gone does not fail the host."""
    stream: TextIO | None = getattr(sys, destination)  # None when the host was started with it closed
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            stream.write(text)
            stream.flush()
