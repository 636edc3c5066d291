"""The encodings of a line: JSON, for people, in colour, or the message alone. Pure, except for the clock."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from ..masking import is_secret_name, masked
from ..text import printable, printable_json
from .config import DEBUG, ERROR, INFO, LEVEL_NAMES, WARNING

Render = Callable[[int, str, str, Mapping[str, object]], str]
"""Takes a level, a channel's name, a message and its keys; returns one line with its newline."""

_COLOURS: Final = {DEBUG: "\x1b[36m", INFO: "\x1b[32m", WARNING: "\x1b[33m", ERROR: "\x1b[31m"}
_HARMLESS: Final = frozenset((str, int, float, bool, type(None)))


def as_text(value: object) -> str:
    """Return `str(value)`; a log line does not fail for a value without a text."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"


def exception_keys(error: BaseException | None) -> dict[str, object]:
    """Return the keys `error` and `stacktrace` of an exception; none without one."""
    if error is None:
        return {}
    stack = "".join(traceback.format_exception(error))
    return {"error": f"{type(error).__name__}: {as_text(error)}", "stacktrace": stack}


_encoder = msgspec.json.Encoder(enc_hook=as_text)


def render_json(level: int, name: str, message: str, keys: Mapping[str, object]) -> str:
    """Return a line as one flat JSON object."""
    line: dict[str, object] = {"level": LEVEL_NAMES[level], "ts": datetime.now(UTC), "logger": name, "msg": message}
    harmless = _HARMLESS
    for key, held in keys.items():
        value = held
        # The common case first: a value without secrets, under a name that is not a secret's.
        if type(value) not in harmless or (type(value) is str and "://" in value) or is_secret_name(key):
            value = _masked(key, value)
        line[key if key not in line else f"{key}_"] = value
    try:
        return printable_json(_encoder.encode(line).decode()) + "\n"
    except (TypeError, ValueError, OverflowError, RecursionError):
        line["ts"] = datetime.now(UTC).isoformat()
        texts = {_utf8(key): _utf8(as_text(value)) for key, value in line.items()}
        return printable_json(_encoder.encode(texts).decode()) + "\n"


def render_console(level: int, name: str, message: str, keys: Mapping[str, object]) -> str:
    """Return a line for people."""
    return _for_people(level, name, message, keys, "", "")


def render_coloured(level: int, name: str, message: str, keys: Mapping[str, object]) -> str:
    """Return a line for people at a terminal."""
    return _for_people(level, name, message, keys, _COLOURS[level], "\x1b[0m")


def render_raw(_level: int, _name: str, message: str, _keys: Mapping[str, object]) -> str:
    """Return the message alone."""
    return printable(message) + "\n"


def _for_people(level: int, name: str, message: str, keys: Mapping[str, object], colour: str, end: str) -> str:
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    word = f"{colour}{LEVEL_NAMES[level].upper():5}{end}"
    text = f"{stamp}.{int(now * 1000) % 1000:03d} {word} {printable(name):8} {printable(message)}"
    stack = ""
    for key, value in keys.items():
        if key == "stacktrace":
            stack = "\n".join(f"    {printable(line)}" for line in str(value).splitlines()) + "\n"
        else:
            text += f" {printable(key)}={_quoted(_masked(key, value))}"
    return f"{text}\n{stack}"


def _quoted(value: object) -> str:
    text = printable(value if isinstance(value, str) else as_text(value))
    return f'"{text}"' if not text or " " in text else text


def _masked(key: str, value: object) -> object:
    """Return a key's value without secrets, and bytes as a text."""
    try:
        value = masked(value, secret=is_secret_name(key))
    except RecursionError:
        return f"<{type(value).__name__} inside itself>"
    return value.decode("utf-8", "backslashreplace") if isinstance(value, (bytes, bytearray)) else value


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
