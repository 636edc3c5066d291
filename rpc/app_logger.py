"""The service `app`: the log of PHP applications, for the package `roadrunner-php/app-logger`.

The package sends a text as JSON, and a text with a context as a protobuf message (applogger.v1 of RoadRunner's API).
Both become lines of the host's log in the channel `app`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import field

from ..container.protocols import Logger
from .proto import ProtoMessage

MAX_TEXT: Final = 64 * 1024
"""Characters of a message and its context that a line has; the line counts the rest as `left_out`."""
MAX_PAIRS: Final = 200
"""Pairs of a context that a line has. Each costs more than its characters do."""


class LogAttribute(ProtoMessage, frozen=True):
    """One pair of a context. RoadRunner calls it LogAttrs."""

    key: str = ""
    value: str = ""


class LogEntry(ProtoMessage, frozen=True):
    """A message with its context."""

    message: str = ""
    log_attrs: list[LogAttribute] = field(default_factory=list)


class AppMethods:
    """The methods `app.*`: each writes one line, escaped and bounded. They return nothing."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def debug(self, message: str) -> None:
        """Log a text at level debug."""
        _write(self._log.debug, message)

    def debug_with_context(self, entry: LogEntry) -> None:
        """Log a text with its context at level debug."""
        _write(self._log.debug, entry.message, entry.log_attrs)

    def info(self, message: str) -> None:
        """Log a text at level info."""
        _write(self._log.info, message)

    def info_with_context(self, entry: LogEntry) -> None:
        """Log a text with its context at level info."""
        _write(self._log.info, entry.message, entry.log_attrs)

    def warning(self, message: str) -> None:
        """Log a text at level warn."""
        _write(self._log.warning, message)

    def warning_with_context(self, entry: LogEntry) -> None:
        """Log a text with its context at level warn."""
        _write(self._log.warning, entry.message, entry.log_attrs)

    def error(self, message: str) -> None:
        """Log a text at level error."""
        _write(self._log.error, message)

    def error_with_context(self, entry: LogEntry) -> None:
        """Log a text with its context at level error."""
        _write(self._log.error, entry.message, entry.log_attrs)

    def log(self, message: str) -> None:
        """Log a text at level info. RoadRunner writes it to its stderr as it is."""
        _write(self._log.info, message)

    def log_with_context(self, entry: LogEntry) -> None:
        """Log a text with its context at level info."""
        _write(self._log.info, entry.message, entry.log_attrs)


def _write(log: Callable[..., None], message: str, context: Sequence[LogAttribute] = ()) -> None:
    message = message.rstrip("\n")
    keys: dict[str, object] = {}
    room = MAX_TEXT - len(message)
    left_out = max(0, -room)
    for each in context:
        room -= len(each.key) + len(each.value)
        if room >= 0 and len(keys) < MAX_PAIRS:
            keys[each.key] = each.value
        else:
            left_out += len(each.key) + len(each.value)
    if left_out:
        keys["left_out"] = left_out
    log(message[:MAX_TEXT], **keys)
