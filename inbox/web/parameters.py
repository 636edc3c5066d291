"""The parameters of a request: numbers, flags and times."""

from __future__ import annotations

import math
from typing import Any, Final

from starlette.requests import Request

from .problems import Problem

MAX_NUMBER: Final = 2**63 - 1
"""The largest integer of SQLite."""


def number(request: Request, name: str, default: Any, low: int, high: int) -> Any:
    """Return a whole number, `default` for none. Raises Problem."""
    text = request.query_params.get(name)
    if text is None:
        return default
    digits = text.isascii() and text.isdecimal() and len(text) < 20  # int() of a long text is slow
    if not digits or not low <= int(text) <= high:
        raise Problem(400, f"{name} is {text!r}; it is a whole number from {low} to {high}")
    return int(text)


def flag(request: Request, name: str) -> bool:
    """Return a parameter that is 1 or 0; 0 for none. Raises Problem."""
    return bool(number(request, name, 0, 0, 1))


def seconds(request: Request, name: str, default: float | None, high: float) -> float | None:
    """Return a number of seconds, `default` for none. Raises Problem."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= high:
        raise Problem(400, f"{name} is {text!r}; it is a number of seconds from 0 to {high}")
    return value
