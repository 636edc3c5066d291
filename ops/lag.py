"""How late the event loop is: what a timer waits beyond its time is what everything else on the loop waits too."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import anyio

INTERVAL: Final = 0.5
"""Seconds between two samples."""


async def watch_lag(observe: Callable[[float], object]) -> None:
    """Give the loop's lag in seconds to `observe`, every `INTERVAL`; never returns, to be cancelled."""
    while True:
        due = time.monotonic() + INTERVAL  # the loop's own clock stands still while something holds it up
        await anyio.sleep(INTERVAL)
        observe(max(0.0, time.monotonic() - due))
