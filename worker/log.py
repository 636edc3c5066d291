"""Log records from a worker: one JSON object a line on stderr. The host makes a record of its own log of each.

    from rrpy.worker import log

    log.info("mail stored", uuid=event["uuid"], size=4711)

    {"level": "info", "msg": "mail stored", "uuid": "...", "size": 4711}

A value that JSON does not have is written as its str. The keys `level` and `msg` get an underscore at their end.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def debug(message: str, /, **keys: object) -> None:
    """Write a record of level debug."""
    _write("debug", message, keys)


def info(message: str, /, **keys: object) -> None:
    """Write a record of level info."""
    _write("info", message, keys)


def warning(message: str, /, **keys: object) -> None:
    """Write a record of level warning."""
    _write("warning", message, keys)


def error(message: str, /, **keys: object) -> None:
    """Write a record of level error."""
    _write("error", message, keys)


def exception(message: str, /, **keys: object) -> None:
    """Write a record of level error, with the traceback of the current exception as `traceback`."""
    if sys.exc_info()[1] is not None:
        from traceback import format_exc

        keys = {"traceback": format_exc(), **keys}
    _write("error", message, keys)


def line(level: str, message: str, keys: Mapping[str, object]) -> str:
    """Return a record as one line without a line end, in ASCII for any encoding of stderr."""
    from json import dumps

    own = {"level": level, "msg": str(message)}
    record = own | {f"{key}_" if key in own else key: value for key, value in keys.items()}
    try:
        return dumps(record, default=_text, allow_nan=False)
    except (TypeError, ValueError, RecursionError):  # NaN, a key that is not a str, a list that holds itself
        return dumps({key: value if type(value) is int else _text(value) for key, value in record.items()})


def _write(level: str, message: str, keys: Mapping[str, object]) -> None:
    sys.stderr.write(line(level, message, keys) + "\n")  # one write, so that lines of several threads do not mix
    sys.stderr.flush()


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # a __str__ that raises must not lose the record
        return f"({type(value).__name__} without a text)"
