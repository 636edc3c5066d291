"""The standard `logging` in a worker: records as JSON lines like those of `log`. Imported only after `logging`."""

from __future__ import annotations

import logging

from .log import line

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))


def set_up() -> None:
    """Give the root logger a handler that writes JSON lines to stderr, unless it has a handler already."""
    if not logging.root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(JSONFormatter())
        logging.root.addHandler(handler)


class JSONFormatter(logging.Formatter):
    """Makes a line of a record: level, message, `logger`, the keys of `extra=`, `traceback`, `stack`.

    A record gets the highest of the four levels of `log` that is not above its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        level = next((name for number, name in _LEVELS if record.levelno >= number), "debug")
        keys: dict[str, object] = {"logger": record.name}
        keys |= {key: value for key, value in vars(record).items() if key not in _OWN}
        if record.exc_info:
            keys["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            keys["stack"] = record.stack_info
        return line(level, record.getMessage(), keys)
