"""The log: channels that plugins write events to, and loguru, which owns the outputs.

A line is an event: a constant message and keys. What we want: a line in JSON is one flat object, no line is ever
broken by what came from outside, secrets are masked by the names of their keys, a level that is off costs one
comparison, and a line costs little on a path that handles a thousand mails a second. What does not work: one loguru
call a line, which walks the stack and builds a record for 20 to 40 us. What we do: a channel renders its own line and
gives it to its output; the output hands loguru, as raw text, all that has come together in `FLUSH_AFTER` seconds. A
warning or worse goes out at once, and so does everything when no event loop runs.

What can still fail: a host that is killed with -9 loses the lines of its last moment.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import logging
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import loguru
import msgspec

from .errors import ConfigError, reason_of
from .masking import is_secret_name, masked

FLUSH_AFTER: Final = 0.05
"""Seconds for which a line below WARNING may wait for others."""

DEBUG, INFO, WARNING, ERROR, OFF = 10, 20, 30, 40, 100
_LEVELS: Final = {"debug": DEBUG, "info": INFO, "warn": WARNING, "warning": WARNING, "error": ERROR}
_NAMES: Final = {DEBUG: "debug", INFO: "info", WARNING: "warn", ERROR: "error"}
_COLOURS: Final = {DEBUG: "\x1b[36m", INFO: "\x1b[32m", WARNING: "\x1b[33m", ERROR: "\x1b[31m"}

Mode = Literal["development", "production", "raw", "none", "off"]
Level = Literal["debug", "info", "warn", "warning", "error"]
Encoding = Literal["console", "json"]


class ChannelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One channel of the log, or the whole: what is absent is taken from the mode, or from the whole.

    `mode`: development (level debug, for people), production (level info, JSON), raw (the message alone), none or off.
    `level`: the lowest that is written. `encoding`: console (for people) or json (one object a line).
    `output`: stderr, stdout, a file's path, or a list of them.
    """

    mode: Mode | None = None
    level: Level | None = None
    encoding: Encoding | None = None
    output: str | list[str] | None = None


class LogConfig(ChannelConfig, frozen=True, forbid_unknown_fields=True):
    """The log. `channels`: a plugin's name -> the keys that are different for it."""

    channels: dict[str, ChannelConfig] = {}


_PLAIN: Final = frozenset((str, int, float, bool, type(None)))

_Render = Callable[[int, str, str, Mapping[str, object]], str]


class Output:
    """One destination in one encoding. Lines gather in it until it is flushed into loguru. Any thread may write."""

    def __init__(self, destination: str, render: _Render) -> None:
        self.render = render
        self._destination = destination
        self._lines: collections.deque[str] = collections.deque()
        self._timer: asyncio.TimerHandle | None = None
        self._logger = loguru.logger.bind(rrpy_output=id(self)).opt(raw=True)
        # To loguru a path is a pattern; to us it is a path.
        sink: Any = _stream(destination) or destination.replace("{", "{{").replace("}", "}}")
        try:
            self._handler = loguru.logger.add(
                sink, level=0, format="{message}", filter=self._is_ours, colorize=False, catch=False
            )
        except (OSError, ValueError) as error:
            raise ConfigError(f"logs.output: cannot write to {destination}: {reason_of(error)}") from None

    def write(self, line: str, *, urgent: bool) -> None:
        """Add a line, which ends in a newline."""
        self._lines.append(line)
        if urgent:
            self.flush()
        elif self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(FLUSH_AFTER, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Hand everything to loguru. What cannot be written is lost, and said on stderr; it is nobody's failure."""
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


class Channel:
    """A channel of the log; satisfies Logger. Made by `logger`."""

    __slots__ = ("_outputs", "_threshold", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._threshold = OFF
        self._outputs: list[Output] = []

    def direct(self, threshold: int, outputs: list[Output]) -> None:
        """Say what this channel lets through, and where to."""
        self._threshold = threshold
        self._outputs = outputs

    def enabled(self, level: str) -> bool:
        """Say whether a line of this level would be written."""
        return self._threshold <= _LEVELS[level.lower()]

    def debug(self, message: str, /, **keys: object) -> None:
        """Log what helps somebody who looks for a fault."""
        if self._threshold <= DEBUG:
            self._write(DEBUG, message, keys)

    def info(self, message: str, /, **keys: object) -> None:
        """Log what an operator wants to see."""
        if self._threshold <= INFO:
            self._write(INFO, message, keys)

    def warning(self, message: str, /, **keys: object) -> None:
        """Log what an operator should look at."""
        if self._threshold <= WARNING:
            self._write(WARNING, message, keys)

    def error(self, message: str, /, **keys: object) -> None:
        """Log what went wrong."""
        if self._threshold <= ERROR:
            self._write(ERROR, message, keys)

    def exception(self, message: str, /, **keys: object) -> None:
        """Log what went wrong, with the traceback of the exception being handled."""
        if self._threshold <= ERROR:
            error = sys.exception()
            self._write(ERROR, message, {**keys, **_told(error)})

    def _write(self, level: int, message: str, keys: Mapping[str, object]) -> None:
        for output in self._outputs:
            output.write(output.render(level, self.name, message, keys), urgent=level >= WARNING)


_channels: dict[str, Channel] = {}
_outputs: dict[tuple[str, str], Output] = {}
_config = LogConfig(mode="none")
_floor: int | None = None


def logger(name: str) -> Channel:
    """Return the channel of this name; it follows every later `configure`."""
    channel = _channels.get(name)
    if channel is None:
        channel = _channels[name] = Channel(name)
        _direct(channel)
    return channel


def configure(config: LogConfig, *, debug: bool = False, silent: bool = False) -> None:
    """Open the outputs and direct every channel to them; what was open before is closed.

    `debug`: every channel at level debug; `silent`: errors only. Raises ConfigError for an output that cannot be
    opened.
    """
    global _config, _floor  # noqa: PLW0603 - a process has one log
    close()
    loguru.logger.remove()
    _config = config
    _floor = DEBUG if debug else ERROR if silent else None
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    for name in ("host", *config.channels):
        logger(name)
    for channel in _channels.values():
        _direct(channel)
    loguru.logger.add(_foreign, level=0, format="{message}", filter=lambda record: "rrpy_output" not in record["extra"])


def flush() -> None:
    """Write out every line that waits."""
    for output in _outputs.values():
        output.flush()


def close() -> None:
    """Flush and close every output; channels, new ones too, are silent until the next `configure`."""
    global _config  # noqa: PLW0603 - a process has one log
    _config = LogConfig(mode="none")
    for channel in _channels.values():
        channel.direct(OFF, [])
    while _outputs:
        _outputs.popitem()[1].close()


class _Bridge(logging.Handler):
    """What libraries say through the standard library's logging, at WARNING or above."""

    def emit(self, record: logging.LogRecord) -> None:
        channel = logger(record.name)
        level = ERROR if record.levelno >= logging.ERROR else WARNING
        if channel.enabled(_NAMES[level]):
            try:
                message = record.getMessage()
            except Exception:  # the library's words and their arguments do not fit
                message = _text(record.msg)
            channel._write(level, message, _told(record.exc_info[1] if record.exc_info else None))


def _foreign(message: Any) -> None:
    """Take what a plugin says to loguru itself into the channel of its module."""
    record = message.record
    number = record["level"].no
    level = max((each for each in _NAMES if each <= number), default=DEBUG)
    channel = logger(record["extra"].get("logger") or record["name"] or "loguru")
    if channel.enabled(_NAMES[level]):
        error = record["exception"].value if record["exception"] is not None else None
        channel._write(level, record["message"], {**record["extra"], **_told(error)})


def _told(error: BaseException | None) -> dict[str, object]:
    """Return the keys that tell of an exception."""
    if error is None:
        return {}
    stack = "".join(traceback.format_exception(error))
    return {"error": f"{type(error).__name__}: {_text(error)}", "stacktrace": stack}


def _direct(channel: Channel) -> None:
    """Direct one channel as the configuration says."""
    whole = _config
    own = whole.channels.get(channel.name, ChannelConfig())
    mode = own.mode or whole.mode or "development"
    if mode in ("none", "off"):
        channel.direct(OFF, [])
        return
    production = mode == "production"
    level = own.level or whole.level or ("info" if production else "debug")
    encoding = "raw" if mode == "raw" else own.encoding or whole.encoding or ("json" if production else "console")
    wanted = own.output or whole.output or "stderr"
    destinations = [wanted] if isinstance(wanted, str) else wanted
    outputs = [_output(destination, encoding) for destination in dict.fromkeys(destinations)]
    channel.direct(_LEVELS[level] if _floor is None else _floor, outputs)


def _output(destination: str, encoding: str) -> Output:
    key = (destination, encoding)
    if key not in _outputs:
        if encoding == "console":
            stream = {"stderr": sys.stderr, "stdout": sys.stdout}.get(destination)
            colour = stream is not None and stream.isatty()
            _outputs[key] = Output(destination, _coloured if colour else _console)
        else:
            _outputs[key] = Output(destination, _json if encoding == "json" else _raw)
    return _outputs[key]


def _stream(destination: str) -> Callable[[str], None] | None:
    """Return a writer to stderr or stdout, None for another destination."""
    return functools.partial(_write_to, destination) if destination in ("stderr", "stdout") else None


def _write_to(destination: str, text: str) -> None:
    """Write to stderr or stdout; a reader of ours that goes away does not take the host with it."""
    stream: TextIO | None = getattr(sys, destination)  # None when the host was started with it closed
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            stream.write(text)
            stream.flush()


def _text(value: object) -> str:
    """Return `str(value)`; a log line does not fail for a value that cannot be shown."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"


_encoder = msgspec.json.Encoder(enc_hook=_text)


def _json(level: int, name: str, message: str, keys: Mapping[str, object]) -> str:
    line: dict[str, object] = {"level": _NAMES[level], "ts": datetime.now(UTC), "logger": name, "msg": message}
    plain = _PLAIN
    for key, held in keys.items():
        value = held
        # The common case in one look: a value that cannot hide anything, under a name that is no secret's.
        if type(value) not in plain or (type(value) is str and "://" in value) or is_secret_name(key):
            value = _plain(key, value)
        line[key if key not in line else f"{key}_"] = value
    try:
        return _encoder.encode(line).decode() + "\n"
    except (TypeError, ValueError, OverflowError, RecursionError):
        line["ts"] = datetime.now(UTC).isoformat()
        texts = {_utf8(key): _utf8(_text(value)) for key, value in line.items()}
        return _encoder.encode(texts).decode() + "\n"


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(key: str, value: object) -> object:
    """Return what a key holds without secrets, and bytes as a text."""
    try:
        value = masked(value, secret=is_secret_name(key))
    except RecursionError:
        return f"<{type(value).__name__} inside itself>"
    return value.decode("utf-8", "backslashreplace") if isinstance(value, (bytes, bytearray)) else value


def _console(level: int, name: str, message: str, keys: Mapping[str, object]) -> str:
    return _for_people(level, name, message, keys, "", "")


def _coloured(level: int, name: str, message: str, keys: Mapping[str, object]) -> str:
    return _for_people(level, name, message, keys, _COLOURS[level], "\x1b[0m")


def _raw(_level: int, _name: str, message: str, _keys: Mapping[str, object]) -> str:
    return _on_one_line(message) + "\n"


def _for_people(level: int, name: str, message: str, keys: Mapping[str, object], colour: str, end: str) -> str:
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    word = f"{colour}{_NAMES[level].upper():5}{end}"
    text = f"{stamp}.{int(now * 1000) % 1000:03d} {word} {_on_one_line(name):8} {_on_one_line(message)}"
    stack = ""
    for key, value in keys.items():
        if key == "stacktrace":
            stack = "\n".join(f"    {_on_one_line(line)}" for line in str(value).splitlines()) + "\n"
        else:
            text += f" {_on_one_line(key)}={_value(_plain(key, value))}"
    return f"{text}\n{stack}"


def _value(value: object) -> str:
    text = _on_one_line(value if isinstance(value, str) else _text(value))
    return f'"{text}"' if not text or " " in text else text


def _on_one_line(text: str) -> str:
    """Return `text` without anything that could move a terminal's cursor or start another line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
