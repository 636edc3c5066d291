"""`rrpy rpc`: call one method of a running host and print its result."""

from __future__ import annotations

import json
import math
from typing import Any

from .console import fail, say, to_json
from .running import RunningHost


def call(host: RunningHost, method: str, argument: str | None, timeout: float) -> None:
    """Call a method and print its result. `argument`: as the command line has it. Raises HostError."""
    value = True if argument is None else value_of(argument)
    with host.connect(timeout) as client:
        try:
            result = client.call(method, value)
        except (ValueError, RecursionError) as error:
            fail(f"{method} cannot be called with that: {error}", 2)
    say(to_json(result))


def value_of(argument: str) -> Any:
    """Return what an argument means: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(argument, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return argument


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value
