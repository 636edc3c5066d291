"""The forms of a line that loggers write, and what each gives: the level, the message, the other keys. Pure.

A worker's loggers write to its stderr in forms of their own, in every language. The host reads those of JSON (`_json`),
of logfmt (`_logfmt`), and of text (`_STAMPED`, `_PLAIN`, `_PREFIX`). A line of any other form has the level info. A
line that continues another one, such as a line of a traceback, has the level of that one (`LineReader`).

A line is hostile text of at most 64 KiB. Every pattern begins where the line does and has bounds, so that the time is
linear.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

import msgspec

LEVELS: Final = {
    "trace": "debug",
    "debug": "debug",
    "verbose": "debug",
    "silly": "debug",
    "default": "info",
    "info": "info",
    "notice": "info",
    "success": "info",
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
"""The levels that workers give, in small letters, and the host's."""

_NUMBERS: Final = (
    (10, 100, ((50, "error"), (40, "warning"), (30, "info"), (10, "debug"))),  # pino, bunyan
    (100, 700, ((400, "error"), (300, "warning"), (200, "info"), (100, "debug"))),  # Monolog
)
"""Levels as numbers: from, below, and the least number of each of the host's."""

_LEVEL_KEYS: Final = ("level_name", "levelname", "severity", "log.level", "lvl", "level")
_MESSAGE_KEYS: Final = ("msg", "message", "event", "short_message")
_STACK_KEYS: Final = ("traceback", "exc_info", "exception", "stack", "stack_trace")
"""The keys of level, message and traceback in JSON and logfmt: the first that fits counts."""


class LogLine(NamedTuple):
    """A line of a worker: the host's name of its level, the message, and the event's keys."""

    level: str
    message: str
    keys: dict[str, object]


def parse_line(line: str) -> LogLine:
    """Return the level, the message and the keys of a line (see the module)."""
    return _named_level(line) or LogLine("info", line, {})


class LineReader:
    """Reads the lines of one stream in their order: a line that continues another one has its level."""

    def __init__(self) -> None:
        self._level = "info"  # of the last line
        self._in_traceback = False  # of Python: until its last line, which has no indent

    def read(self, line: str) -> LogLine:
        """Return the level, the message and the keys of the next line."""
        if line.startswith(_TRACEBACK):
            self._in_traceback = True
            self._level = self._level if self._level == "warning" else "error"
        elif not _CONTINUATION.match(line):
            named = _named_level(line)
            if named is not None:
                self._in_traceback, self._level = False, named.level
                return named
            if not self._in_traceback:
                self._level = "info"
            self._in_traceback = False
        return LogLine(self._level, line, {})


_TRACEBACK: Final = "Traceback (most recent call last)"
_CONTINUATION: Final = re.compile(
    r"\s|#\d{1,6} |Stack trace:|\[(?:stacktrace|previous exception)\]|\"\}\s*\Z"
    r"|During handling of the above exception|The above exception was the direct cause"
)
"""A line after the first one of an event, as Python, PHP, Laravel and Node write it."""


def _named_level(line: str) -> LogLine | None:
    """Return a line whose form names a level; None for any other."""
    first = line[:1]
    if first == "{":
        return _json(line)
    stamp = _STAMP.match(line) if first == "[" or "0" <= first <= "9" else None
    start = stamp.end() if stamp else 0
    forms = _STAMPED if stamp else _PLAIN if "A" <= first <= "[" else ()
    for form in forms:
        if (found := form.match(line, start)) is not None:
            return _text(found, start)
    prefixed = _prefixed(line, start)
    return prefixed if prefixed or stamp or "=" not in line else _logfmt(line)


def _level_of(value: object) -> str | None:
    """Return the host's name of a level; None for what is not a level."""
    if isinstance(value, str):
        return LEVELS.get(value.lower())
    if type(value) is not int:
        return None
    for least, above, steps in _NUMBERS:
        if least <= value < above:
            return next(name for number, name in steps if value >= number)
    return None


# JSON and logfmt.


def _json(line: str) -> LogLine | None:
    """Return the line of a JSON object with a level and a message.

    It is how Monolog, pino, bunyan, winston, zap, slog, structlog, python-json-logger, Google Cloud and ECS write.
    """
    try:
        record = msgspec.json.decode(line, type=dict[str, Any])
    except (ValueError, RecursionError):
        return None
    return _of_keys(record)


def _of_keys(record: dict[str, Any]) -> LogLine | None:
    level = message = None
    for key in _LEVEL_KEYS:
        if key in record and (named := _level_of(record[key])) is not None:
            level = level or named
            del record[key]
    for key in _MESSAGE_KEYS:
        if key in record and isinstance(record[key], str) and record[key]:
            message = record.pop(key)
            break
    if level is None or message is None:
        return None
    for key in _STACK_KEYS:
        if key in record and isinstance(record[key], str) and "\n" in record[key]:
            record["stacktrace"] = record.pop(key)  # the key that the log shows line by line
            break
    return LogLine(level, message, record)


_PAIR: Final = re.compile(r"\s*([A-Za-z_][\w.@/-]{0,99})=(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\"]\S*|))(?=\s|\Z)")


def _logfmt(line: str) -> LogLine | None:
    """Return the line of `key=value` pairs, as logrus, slog and zerolog write them; nothing else may be in it."""
    record: dict[str, Any] = {}
    at = 0
    while at < len(line):
        found = _PAIR.match(line, at)
        if found is None:
            return None
        quoted = found[2]
        record[found[1]] = found[3] if quoted is None else _unescaped(quoted)
        at = found.end()
    return _of_keys(record)


def _unescaped(text: str) -> str:
    try:
        return msgspec.json.decode(f'"{text}"', type=str)
    except ValueError:
        return text


# Text.

_UPPER: Final = "|".join(sorted(LEVELS, key=len, reverse=True)).upper()
_LEVEL: Final = rf"(?P<level>{_UPPER})"
_LOGGER: Final = r"(?P<logger>[A-Za-z_][\w.:\\/-]{0,199})"
_TIME: Final = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_DATE: Final = r"(?:\d{4}[-/]\d\d[-/]\d\d|\d\d-[A-Z][a-z]{2}-\d{4})"
_OFFSET: Final = r" ?(?:Z|[+-]\d\d:?\d\d)"

_STAMP: Final = re.compile(
    rf"(?:(?:{_DATE}[T ])?{_TIME}(?:{_OFFSET})?|\[{_DATE}[T ]{_TIME}(?:{_OFFSET}| [A-Z][\w/+-]{{0,39}})?\])[ \t]+"
    r"(?:\[\d{1,10}\] )?",
    re.ASCII,
)
"""A time at the begin of a line, in brackets also with its zone, and a process id. The log has a time of its own."""

_STAMPED: Final = (
    re.compile(rf"(?P<channel>[\w-][\w.-]{{0,99}})\.{_LEVEL}: ", re.ASCII),  # Monolog: Laravel, Symfony
    re.compile(rf"- {_LOGGER} - {_LEVEL} - ", re.ASCII),  # Python's logging cookbook
    re.compile(rf"\| {_LEVEL} {{0,8}}\| (?:{_LOGGER} - )?", re.ASCII),  # loguru
    re.compile(rf"[-|] {_LEVEL} [-|] ", re.ASCII),
    re.compile(rf"{_LOGGER}[ \t]{{1,40}}\[?{_LEVEL}\]?:?[ \t]+(?:- )?", re.ASCII),
)
"""Forms after a time. A form of `_PREFIX` may be there too."""

_PLAIN: Final = (
    re.compile(rf"{_LEVEL}:(?P<logger>[^\s:]{{1,200}}):", re.ASCII),  # Python's logging.basicConfig()
    re.compile(rf"[A-Z], \[{_DATE}T{_TIME} #\d{{1,10}}\] +{_LEVEL} -- (?:{_LOGGER})?: ", re.ASCII),  # Ruby
    re.compile(rf"\[{_DATE}T{_TIME}Z {_LEVEL} +{_LOGGER}\] ", re.ASCII),  # Rust's env_logger
)
"""Forms without a time before them."""

_WORDS: Final = "|".join(
    sorted(LEVELS.keys() - {"verbose", "silly", "default", "success"}, key=len, reverse=True)  # a text begins so
)
_PREFIX: Final = re.compile(
    rf"(?P<php>PHP )?(?:\[(?P<bracketed>{_WORDS}) {{0,8}}\]:?|(?P<plain>{_WORDS}):|(?P<upper>{_UPPER}))(?=\s)\s*",
    re.IGNORECASE | re.ASCII,  # or a Turkish dotted I would be an i, and in no table
)
"""`ERROR: out of paper`, `[warning] low on ink`, `PHP Warning:  Undefined variable`, `ERROR out of paper`."""


def _text(found: re.Match[str], start: int) -> LogLine:
    """Return the line of a form of text. `start`: where the form begins, after the time."""
    text = found.string[found.end() :]
    keys: dict[str, object] = {key: name for key in ("logger", "channel") if (name := found.groupdict().get(key))}
    if "channel" in keys:
        text, context = _split_context(text)
        keys |= context
    return LogLine(LEVELS[found["level"].lower()], text or found.string[start:], keys)


def _prefixed(line: str, start: int) -> LogLine | None:
    found = _PREFIX.match(line, start)
    if found is None or (found["upper"] and not found["upper"].isupper()):  # a sentence that begins with the word
        return None
    word = found["bracketed"] or found["plain"] or found["upper"]
    message = line[start:] if found["php"] else line[found.end() :] or line[start:]
    return LogLine(LEVELS[word.lower()], message, {})


def _split_context(text: str) -> tuple[str, dict[str, object]]:
    """Split Monolog's two values in JSON from the end of a text. Return the message, and those that are not empty."""
    at = -1
    for _ in range(_CONTEXT_TRIES):
        starts = [found for mark in (" {", " [") if (found := text.find(mark, at + 1)) >= 0]
        if not starts or not text.endswith(("}", "]")):
            break
        at = min(starts)
        try:
            context, end = _scan(text, at + 1)
            extra, end = _scan(text, end + 1)
        except (ValueError, RecursionError):
            continue
        if end == len(text):
            return text[:at], {key: value for key, value in (("context", context), ("extra", extra)) if value}
    return text, {}


_scan: Final = json.JSONDecoder().raw_decode
_CONTEXT_TRIES: Final = 8
"""Places where the values may begin: each is read at most to the end of the line."""
