"""The lag of the event loop: a timer that fires late shows how long everything else on the loop waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import anyio

INTERVAL: Final = 0.5
"""Seconds between two samples."""


async def watch_lag(observe: Callable[[float], object]) -> None:
    """Call `observe` with the loop's lag in seconds every `INTERVAL`, until cancelled."""
    while True:
        due = time.monotonic() + INTERVAL  # the loop's own clock stands still while a callback blocks
        await anyio.sleep(INTERVAL)
        observe(max(0.0, time.monotonic() - due))
