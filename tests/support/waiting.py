"""Waiting in tests: by deadline, for a change that no event announces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

TIMEOUT = 30.0
"""Seconds after which a test that waits fails."""

_PAUSE = 0.005


def eventually(check: Callable[[], object], what: str = "it") -> None:
    """Block until `check` returns true. Fails with `what` after `TIMEOUT` seconds."""
    deadline = time.monotonic() + TIMEOUT
    while not check():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(_PAUSE)


async def until(check: Callable[[], object], what: str = "it") -> None:
    """Wait on the event loop until `check` returns true. Fails with `what` after `TIMEOUT` seconds."""
    deadline = time.monotonic() + TIMEOUT
    while not check():
        assert time.monotonic() < deadline, f"never: {what}"
        await asyncio.sleep(_PAUSE)
