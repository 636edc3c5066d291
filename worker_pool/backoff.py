"""The pauses between starts of workers that keep failing."""

from __future__ import annotations

from typing import Final

FIRST_PAUSE: Final = 0.1
MAX_PAUSE: Final = 30.0
"""Seconds."""


def pause_after(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, at least 1: they double up to MAX_PAUSE."""
    return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 16), MAX_PAUSE)
