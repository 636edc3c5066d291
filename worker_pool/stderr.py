"""What a worker writes beside its frames: each line is logged, and the last lines are kept for the report of its exit.

A worker can give a line its level. The line is a JSON object with `level` and `msg` (or `message`), whose other keys
become the event's. Or it has a prefix (`ERROR: `, `[warning] `, `PHP Fatal error: `). Any other line is `info`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from ..container.protocols import Logger

MAX_LINE: Final = 64 * 1024
"""A longer line is logged in pieces of this many bytes."""

KEPT_LINES: Final = 20
KEPT_WIDTH: Final = 500

_LEVELS: Final = {
    "trace": "debug",
    "debug": "debug",
    "info": "info",
    "notice": "info",
    "warn": "warning",
    "warning": "warning",
    "deprecated": "warning",
    "err": "error",
    "error": "error",
    "critical": "error",
    "crit": "error",
    "fatal": "error",
    "fatal error": "error",
    "parse error": "error",
    "alert": "error",
    "emergency": "error",
    "panic": "error",
}
"""The levels that workers give, and the host's."""

_WORDS: Final = "|".join(sorted(_LEVELS, key=len, reverse=True))
_PREFIX: Final = re.compile(
    rf"(?P<php>PHP )?(?:\[(?P<bracketed>{_WORDS})\]:?|(?P<plain>{_WORDS}):|(?P<upper>{_WORDS.upper()}))(?=\s)\s*",
    re.IGNORECASE | re.ASCII,  # or a Turkish dotted I would be an i, and in no table
)


class LogLine(NamedTuple):
    """A line of a worker: the host's name of its level, the message, and the event's keys."""

    level: str
    message: str
    keys: dict[str, object]


def parse_line(line: str) -> LogLine:
    """Return the level, the message and the keys of a line (see the module)."""
    if line.startswith("{") and (parsed := _parse_json(line)) is not None:
        return parsed
    found = _PREFIX.match(line)
    if found is None:
        return LogLine("info", line, {})
    word = found["bracketed"] or found["plain"] or found["upper"]
    if found["upper"] and not word.isupper():  # a sentence that begins with the word
        return LogLine("info", line, {})
    message = line if found["php"] else line[found.end() :] or line
    return LogLine(_LEVELS[word.lower()], message, {})


def _parse_json(line: str) -> LogLine | None:
    try:
        record = msgspec.json.decode(line, type=dict[str, object])
    except (ValueError, RecursionError):
        return None
    level, message = record.pop("level", None), record.pop("msg", None) or record.pop("message", None)
    if not isinstance(level, str) or level.lower() not in _LEVELS or not isinstance(message, str):
        return None
    if "traceback" in record:
        record["stacktrace"] = record.pop("traceback")  # the key that the log shows line by line
    return LogLine(_LEVELS[level.lower()], message, record)


class LineSplitter:
    """Turns bytes, cut anywhere, into lines without their ends. It replaces invalid UTF-8 and drops empty lines.

    `write` gets every line.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._rest = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if b"\n" not in data and len(self._rest) + len(data) < MAX_LINE:
            self._rest += data
            return
        *lines, rest = (bytes(self._rest) + data).split(b"\n")
        for line in lines:
            self._pass_on(line)
        whole = len(rest) - len(rest) % MAX_LINE
        self._pass_on(rest[:whole])
        self._rest = bytearray(rest[whole:])

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
    """

    def __init__(self, log: Logger) -> None:
        self.pid = 0
        self.tail: deque[str] = deque(maxlen=KEPT_LINES)
        self._write = {level: getattr(log, level) for level in ("debug", "info", "warning", "error")}
        self._streams = {1: LineSplitter(self._log_line), 2: LineSplitter(self._log_line)}

    def feed(self, fd: int, data: bytes) -> None:
        """Take bytes of stdout (1) or stderr (2)."""
        self._streams[fd].feed(data)

    def flush(self) -> None:
        """Log the last lines, which have no end."""
        for stream in self._streams.values():
            stream.flush()

    def _log_line(self, line: str) -> None:
        parsed = parse_line(line)
        self.tail.append((parsed.message if parsed.keys else line)[:KEPT_WIDTH])
        self._write[parsed.level](parsed.message, **{**parsed.keys, "pid": self.pid})
