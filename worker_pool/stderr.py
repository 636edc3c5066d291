"""The output of a worker beside its frames: a line of the log for each line, and the last lines for its exit report.

A line may name its level, in the form of a logger (lines.py). Any other line is `info`.

A worker that writes more than its share of the log (`BURST`, `RATE`) loses lines: they are counted, not read.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from ..container.protocols import Logger
from .lines import LineReader

MAX_LINE: Final = 64 * 1024
"""A longer line is logged in pieces of this many bytes."""

BURST: Final = 1024 * 1024
"""Bytes that a worker may write at once."""
RATE: Final = 256 * 1024
"""Bytes a second that a worker may write for a longer time."""
LINE_COST: Final = 128
"""Bytes that a line counts for, besides its own."""

KEPT_LINES: Final = 20
KEPT_WIDTH: Final = 500


class LineSplitter:
    """Turns bytes, cut anywhere, into lines without their ends. It replaces invalid UTF-8 and drops empty lines.

    `write` gets every line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._rest = bytearray()
        self._skipping = False  # the rest of a line whose begin was skipped

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._skipping:
            _, newline, data = data.partition(b"\n")
            self._skipping = not newline
        if b"\n" not in data and len(self._rest) + len(data) < MAX_LINE:
            self._rest += data
            return
        *lines, rest = (bytes(self._rest) + data).split(b"\n")
        for line in lines:
            self._pass_on(line)
        whole = len(rest) - len(rest) % MAX_LINE
        self._pass_on(rest[:whole])
        self._rest = bytearray(rest[whole:])

    def skip(self, data: bytes) -> tuple[int, list[bytes]]:
        """Drop the lines in the next bytes. Return how many, and the last of them. A last part may become a line."""
        count = data.count(b"\n") - self._skipping
        lines, newline, rest = data.rpartition(b"\n")
        self._skipping = not newline
        self._rest = bytearray(rest if newline else b"")
        return count + self._skipping, lines.rsplit(b"\n", KEPT_LINES)[-KEPT_LINES:]

    def flush(self) -> None:
        """Pass on a last line that has no end."""
        rest, self._rest = bytes(self._rest), bytearray()
        self._pass_on(rest)

    def _pass_on(self, line: bytes) -> None:
        for start in range(0, len(line), MAX_LINE):
            text = line[start : start + MAX_LINE].decode("utf-8", "replace").rstrip("\r")
            if text.strip():
                self._write(text)


class OutputLog:
    """Logs a worker's stderr line by line, and a stdout that is not its channel. `pid`: the worker's, once it has one.

    `tail` keeps the last 20 lines of the request under way, each cut to 500 characters; of a JSON line its message.
    `clock`: returns monotonic seconds.
    """

    def __init__(self, log: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self.pid = 0
        self._clock = clock
        self._share = float(BURST)  # bytes; a chunk may take more
        self._share_at = clock()
        self._skipped = 0
        self.tail: deque[str] = deque(maxlen=KEPT_LINES)
        self._write = {level: getattr(log, level) for level in ("debug", "info", "warning", "error")}
        self._streams = {fd: LineSplitter(partial(self._log_line, LineReader())) for fd in (1, 2)}

    def feed(self, fd: int, data: bytes) -> None:
        """Take bytes of stdout (1) or stderr (2)."""
        now = self._clock()
        self._share = min(BURST, self._share + (now - self._share_at) * RATE)
        self._share_at = now
        if self._share > 0:
            self._share -= len(data) + LINE_COST * data.count(b"\n")
            self._log_skipped()
            self._streams[fd].feed(data)
        else:
            self._skip(fd, data)

    def flush(self) -> None:
        """Log the last lines, which have no end."""
        self._log_skipped()
        for stream in self._streams.values():
            stream.flush()

    def _skip(self, fd: int, data: bytes) -> None:
        if not self._skipped:
            self._write["warning"]("worker writes too much: its lines are left out", pid=self.pid)
        count, lines = self._streams[fd].skip(data)
        self._skipped += count
        self.tail.extend(text[:KEPT_WIDTH] for line in lines if (text := line.decode("utf-8", "replace")).strip())

    def _log_skipped(self) -> None:
        if self._skipped:
            self._write["warning"]("lines of a worker were left out", lines=self._skipped, pid=self.pid)
            self._skipped = 0

    def _log_line(self, reader: LineReader, line: str) -> None:
        parsed = reader.read(line)
        self.tail.append((parsed.message if line.startswith("{") else line)[:KEPT_WIDTH])
        self._write[parsed.level](parsed.message, **{**parsed.keys, "pid": self.pid})
