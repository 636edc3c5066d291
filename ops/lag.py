"""How late the event loop is: what a timer waits beyond its time is what everything else on the loop waits too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio

INTERVAL: Final = 0.5
"""Seconds between two samples."""


async def watch_lag(observe: Callable[[float], object]) -> None:
    """Give the loop's lag in seconds to `observe`, every `INTERVAL`; never returns, to be cancelled."""
    while True:
        due = anyio.current_time() + INTERVAL
        await anyio.sleep_until(due)
        observe(max(0.0, anyio.current_time() - due))
