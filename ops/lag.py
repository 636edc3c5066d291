"""The lag of the event loop: a timer that fires late shows how long everything else on the loop waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import anyio

INTERVAL: Final = 0.5
"""Seconds between two samples."""


async def watch_lag(observe: Callable[[float], object], clock: Callable[[], float] = time.monotonic) -> None:
    """Call `observe` with the loop's lag in seconds every `INTERVAL`, until cancelled.

    `clock`: returns seconds, and must go on while a callback blocks; the loop's own clock stands still then.
    """
    while True:
        due = clock() + INTERVAL
        await anyio.sleep(INTERVAL)
        observe(max(0.0, clock() - due))
