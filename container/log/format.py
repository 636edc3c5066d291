"""The encodings of a line: JSON, for people, in colour, or the message alone. Pure, except for the clock."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from ..errors import named
from ..masking import mask_text, masked, may_hold_secret
from ..secret_names import is_secret_name
from ..text import printable, printable_json
from .config import DEBUG, ERROR, INFO, LEVEL_NAMES, WARNING

Render = Callable[[int, str, str, Mapping[str, object]], str]
"""Takes a level, a channel's name, a message and its keys; returns one line with its newline."""

_COLOURS: Final = {DEBUG: "\x1b[36m", INFO: "\x1b[32m", WARNING: "\x1b[33m", ERROR: "\x1b[31m"}
_SCALARS: Final = frozenset((str, int, float, bool, type(None)))


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
    return {"error": named(error, as_text(error)), "stacktrace": stack}


_encoder = msgspec.json.Encoder(enc_hook=as_text)


def render_json(level: int, name: str, message: str, keys: Mapping[str, object]) -> str:
    """Return a line as one flat JSON object."""
    line: dict[str, object] = {"level": LEVEL_NAMES[level], "ts": datetime.now(UTC), "logger": name, "msg": message}
    for key, held in keys.items():
        value = held
        # The common case first, without a call: no tree, and no secret's name.
        if is_secret_name(key) or (type(value) not in _SCALARS and not _is_flat(value)):
            value = _masked(key, value)
        line[key if key not in line else f"{key}_"] = value
    try:
        text = _encoder.encode(line).decode()
        if may_hold_secret(text, in_json=True):
            text = _encoder.encode(masked(msgspec.to_builtins(line, enc_hook=as_text))).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        line["ts"] = datetime.now(UTC).isoformat()
        texts = {_utf8(key): mask_text(_utf8(as_text(value))) for key, value in line.items()}
        text = _encoder.encode(texts).decode()
    if not text.isascii() or "\x7f" in text:
        text = printable_json(text)
    return text + "\n"


def render_console(level: int, name: str, message: str, keys: Mapping[str, object]) -> str:
    """Return a line for people."""
    return _for_people(level, name, message, keys, "", "")


def render_coloured(level: int, name: str, message: str, keys: Mapping[str, object]) -> str:
    """Return a line for people at a terminal."""
    return _for_people(level, name, message, keys, _COLOURS[level], "\x1b[0m")


def render_raw(_level: int, _name: str, message: str, _keys: Mapping[str, object]) -> str:
    """Return the message alone."""
    return printable(mask_text(message)) + "\n"


def _for_people(level: int, name: str, message: str, keys: Mapping[str, object], colour: str, end: str) -> str:
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    word = f"{colour}{LEVEL_NAMES[level].upper():5}{end}"
    texts = [as_text(_masked(key, value)) for key, value in keys.items()]
    if may_hold_secret("\n".join((message, *texts))):
        message, *texts = map(mask_text, (message, *texts))
    line = f"{name:8} {message}"
    stack = ""
    for key, text in zip(keys, texts, strict=True):
        if key == "stacktrace":
            stack = "\n".join(f"    {printable(each)}" for each in text.splitlines()) + "\n"
        else:
            line += f' {key}="{text}"' if not text or " " in text else f" {key}={text}"
    return f"{stamp}.{int(now * 1000) % 1000:03d} {word} {printable(line)}\n{stack}"


def _masked(key: str, value: object) -> object:
    """Return a key's value without what its name or the names in it say is secret, and bytes as a text."""
    if isinstance(value, (bytes, bytearray)):
        value = value.decode("utf-8", "backslashreplace")
    secret = is_secret_name(key)
    if not secret and (type(value) in _SCALARS or _is_flat(value)):
        return value
    try:
        return masked(value, secret=secret)
    except RecursionError:
        return f"<{type(value).__name__} inside itself>"


def _is_flat(value: object) -> bool:
    """Return whether a value is a list without lists and names."""
    return type(value) is list and _SCALARS.issuperset(map(type, value))


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
