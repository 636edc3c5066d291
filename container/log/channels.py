"""The channels of the log, and what directs them: the configuration, the standard library's logging, and loguru."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import loguru

from .config import DEBUG, ERROR, INFO, LEVEL_NAMES, LEVELS, OFF, WARNING, ChannelConfig, LogConfig
from .format import Render, as_text, exception_keys, render_coloured, render_console, render_json, render_raw
from .output import STREAMS, Output


class LogChannel:
    """A channel of the log; satisfies Logger. Made by `logger`."""

    __slots__ = ("_outputs", "_threshold", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._threshold = OFF
        self._outputs: Sequence[tuple[Render, Output]] = ()

    def direct(self, threshold: int, outputs: Sequence[tuple[Render, Output]]) -> None:
        """Write lines from this level on to these outputs, each in its encoding."""
        self._threshold = threshold
        self._outputs = outputs

    def enabled(self, level: str) -> bool:
        """Return whether a line of this level would be written."""
        return self._threshold <= LEVELS[level.lower()]

    def debug(self, message: str, /, **keys: object) -> None:
        """Log a detail that helps to find a fault."""
        if self._threshold <= DEBUG:
            self.write(DEBUG, message, keys)

    def info(self, message: str, /, **keys: object) -> None:
        """Log an event that an operator wants to see."""
        if self._threshold <= INFO:
            self.write(INFO, message, keys)

    def warning(self, message: str, /, **keys: object) -> None:
        """Log an event that an operator should look at."""
        if self._threshold <= WARNING:
            self.write(WARNING, message, keys)

    def error(self, message: str, /, **keys: object) -> None:
        """Log a failure."""
        if self._threshold <= ERROR:
            self.write(ERROR, message, keys)

    def exception(self, message: str, /, **keys: object) -> None:
        """Log a failure, with the traceback of the exception being handled."""
        if self._threshold <= ERROR:
            self.write(ERROR, message, {**keys, **exception_keys(sys.exception())})

    def write(self, level: int, message: str, keys: Mapping[str, object]) -> None:
        """Write a line whatever the threshold. `level`: one of LEVEL_NAMES."""
        for render, output in self._outputs:
            output.write(render(level, self.name, message, keys), level >= WARNING)


_channels: dict[str, LogChannel] = {}
_outputs: dict[str, Output] = {}
_config = LogConfig(mode="none")
_forced_level: int | None = None  # by --debug or --silent


def logger(name: str) -> LogChannel:
    """Return the channel of this name; it follows every later `configure`."""
    channel = _channels.get(name)
    if channel is None:
        channel = _channels[name] = LogChannel(name)
        _direct(channel)
    return channel


def configure(config: LogConfig, *, debug: bool = False, silent: bool = False) -> None:
    """Close the open outputs, open those of the configuration, and direct every channel to them.

    `debug`: every channel at level debug; `silent`: errors only. Raises ConfigError for an output that cannot be
    opened.
    """
    global _config, _forced_level  # noqa: PLW0603 - a process has one log
    close()
    loguru.logger.remove()
    _config = config
    _forced_level = DEBUG if debug else ERROR if silent else None
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers = [_FromLogging()]
    root.setLevel(logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    for name in ("host", *config.channels):
        logger(name)
    for channel in _channels.values():
        _direct(channel)
    loguru.logger.add(_from_loguru, level=0, format="{message}")


def flush(timeout: float = 10) -> None:
    """Write out every line that waits. `timeout`: seconds that each output has for it."""
    for output in _outputs.values():
        output.flush(timeout)


def reopen() -> None:
    """Let every output that is a file open its path anew: after a rename, later lines go to a new file there."""
    for output in [*_outputs.values()]:
        output.reopen()


def close() -> None:
    """Write out every line that waits and close every output, within `output.CLOSE_TIMEOUT` seconds for each.

    Channels, new ones too, are silent until the next `configure`.
    """
    global _config  # noqa: PLW0603 - a process has one log
    _config = LogConfig(mode="none")
    for channel in _channels.values():
        channel.direct(OFF, ())
    while _outputs:
        _outputs.popitem()[1].close()


class _FromLogging(logging.Handler):
    """Writes the lines of libraries, which use the standard library's logging, from WARNING on."""

    def emit(self, record: logging.LogRecord) -> None:
        channel = logger(record.name)
        level = ERROR if record.levelno >= logging.ERROR else WARNING
        if channel.enabled(LEVEL_NAMES[level]):
            try:
                message = record.getMessage()
            except Exception:  # the library's text and its arguments do not fit
                message = as_text(record.msg)
            channel.write(level, message, exception_keys(record.exc_info[1] if record.exc_info else None))


def _from_loguru(message: Any) -> None:
    """Write a line that a plugin gave to loguru itself, to the channel of the plugin's module."""
    record = message.record
    number = record["level"].no
    level = max((each for each in LEVEL_NAMES if each <= number), default=DEBUG)
    channel = logger(record["extra"].get("logger") or record["name"] or "loguru")
    if channel.enabled(LEVEL_NAMES[level]):
        error = record["exception"].value if record["exception"] is not None else None
        channel.write(level, record["message"], {**record["extra"], **exception_keys(error)})


def _direct(channel: LogChannel) -> None:
    """Direct one channel as the configuration demands."""
    whole = _config
    own = whole.channels.get(channel.name, ChannelConfig())
    mode = own.mode or whole.mode or "development"
    if mode in ("none", "off"):
        channel.direct(OFF, ())
        return
    production = mode == "production"
    level = own.level or whole.level or ("info" if production else "debug")
    encoding = "raw" if mode == "raw" else own.encoding or whole.encoding or ("json" if production else "console")
    wanted = own.output or whole.output or "stderr"
    destinations = [wanted] if isinstance(wanted, str) else wanted
    outputs = []
    for destination in dict.fromkeys(destinations):
        render = _render(destination, encoding)
        outputs.append((render, _output(destination, render)))
    channel.direct(LEVELS[level] if _forced_level is None else _forced_level, outputs)


def _render(destination: str, encoding: str) -> Render:
    if encoding != "console":
        return render_json if encoding == "json" else render_raw
    stream = {"stderr": sys.stderr, "stdout": sys.stdout}.get(destination)
    return render_coloured if stream is not None and stream.isatty() else render_console


def _output(destination: str, render: Render) -> Output:
    """Return the output for a destination; open it when it is not open yet."""
    if destination not in _outputs:
        # Made before the file's, so closed after it: stderr gets the reason when the file cannot be written.
        fallback = None if destination in STREAMS else _output("stderr", render_raw)
        _outputs[destination] = Output(destination, render, fallback)
    return _outputs[destination]
