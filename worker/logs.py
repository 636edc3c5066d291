"""The standard `logging` in a worker: records as JSON lines like those of `log`. Imported only where `logging` is."""

from __future__ import annotations

import logging

from .log import line

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))


def adopt() -> None:
    """Put a handler that writes JSON lines to stderr on the root logger, unless it has a handler already."""
    if not logging.root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(Lines())
        logging.root.addHandler(handler)


class Lines(logging.Formatter):
    """Makes a line of a record: level, message, `logger`, what `extra=` gave, `traceback`, `stack`.

    Levels are the four of `log`: a record gets the highest that is not above its own.
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
