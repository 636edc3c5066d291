"""Field types for configuration models: `Duration`, `PositiveDuration` (seconds) and `Secret` (never shown)."""

from __future__ import annotations

import math
import re
from typing import Final, Self

import msgspec

_UNITS: Final = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "µs": 1_000,
    "ns": 1,
}
"""Nanoseconds in each unit."""

SHORTEST: Final = 0.001
"""The shortest `PositiveDuration`, in seconds."""

_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)", re.ASCII)
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_NUMBER: Final = re.compile(r"\d+(?:\.\d*)?|\.\d+", re.ASCII)


class Duration(float):
    """A length of time in seconds, written `10s`, `1m30s`, `500ms`, `2.5s`, `1h`, `100us`; a bare number is seconds.

    It is a float, so it goes wherever seconds are asked for; `str()` gives it back in the notation, to the nanosecond.
    Raises ValueError for what is negative, not finite, or not in the notation.
    """

    __slots__ = ()

    def __new__(cls, value: object = 0.0) -> Self:
        """Read what a configuration has."""
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError(_refusal(value))
        seconds = _parse(value) if isinstance(value, str) else _seconds(value)
        if not math.isfinite(seconds * 1e9) or seconds < 0:  # its nanoseconds too, for the notation
            raise ValueError(_refusal(value))
        return super().__new__(cls, seconds)

    def __str__(self) -> str:
        rest = round(float(self) * 1e9)
        if rest == 0:
            return "0s"
        for unit in ("ms", "us"):
            if rest < _UNITS["s"] and (rest >= _UNITS[unit] or unit == "us"):
                return _decimal(rest, unit)
        hours, rest = divmod(rest, _UNITS["h"])
        minutes, rest = divmod(rest, _UNITS["m"])
        return (
            (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") + (_decimal(rest, "s") if rest else "")
        )

    def __repr__(self) -> str:
        return f"Duration({str(self)!r})"


class PositiveDuration(Duration):
    """A length of time of at least 1 ms, for pauses and timeouts: a loop with a shorter pause would only spin."""

    __slots__ = ()

    def __new__(cls, value: object = 0.0) -> Self:
        """Read what a configuration has. Raises ValueError for a shorter one too, 0 included."""
        seconds = super().__new__(cls, value)
        if seconds < SHORTEST:
            raise ValueError("must be at least 1ms")
        return seconds


class Secret:
    """A text that no log, repr or format shows: they all get `***`. `reveal()` gives the text itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def shown_default(value: object) -> msgspec.Meta:
    """Return an annotation of a key whose default is None: what the host takes then, for rr.yaml and the docs."""
    return msgspec.Meta(extra={"default": value})


def decode_field(kind: type, value: object) -> object:
    """Make a `Duration` or a `Secret` out of what the configuration has; msgspec's `dec_hook`.

    Raises ValueError with a text for a person, NotImplementedError for a type that is neither.
    """
    if issubclass(kind, Duration):
        return kind(value)
    if issubclass(kind, Secret):
        if not isinstance(value, str):
            raise ValueError("expected a text in quotes")
        return kind(value)
    raise NotImplementedError(f"a configuration model cannot have a field of type {kind.__name__}")


def _parse(text: str) -> float:
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    if not _WHOLE.fullmatch(text):
        raise ValueError(_refusal(text))
    return math.fsum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)) / 1e9


def _seconds(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _decimal(nanoseconds: int, unit: str) -> str:
    whole, fraction = divmod(nanoseconds, _UNITS[unit])
    digits = len(str(_UNITS[unit])) - 1
    return f"{whole}.{fraction:0{digits}}".rstrip("0").rstrip(".") + unit


def _refusal(value: object) -> str:
    return f"expected a duration such as 10s, 1m30s or 500ms, got {value!r}"
