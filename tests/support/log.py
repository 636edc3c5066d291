"""A channel of the log that keeps its lines."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from support.waiting import TIMEOUT


class Log:
    """A Logger whose `lines` are (level, message, keys). The level is the name of the called method.

    A line of level `exception` has the current error as the key `exception`.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []
        self._grown = asyncio.Event()

    def debug(self, message: str, /, **keys: object) -> None:
        self._add("debug", message, keys)

    def info(self, message: str, /, **keys: object) -> None:
        self._add("info", message, keys)

    def warning(self, message: str, /, **keys: object) -> None:
        self._add("warning", message, keys)

    def error(self, message: str, /, **keys: object) -> None:
        self._add("error", message, keys)

    def exception(self, message: str, /, **keys: object) -> None:
        self._add("exception", message, {**keys, "exception": sys.exception()})

    def enabled(self, level: str) -> bool:
        return True

    def keys(self, message: str) -> list[dict[str, Any]]:
        """Return the keys of every line with this message."""
        return [keys for _, found, keys in self.lines if found == message]

    def of(self, level: str) -> list[tuple[str, dict[str, Any]]]:
        """Return message and keys of every line of this level."""
        return [(message, keys) for found, message, keys in self.lines if found == level]

    async def seen(self, message: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait until the message has been logged this often; return its keys."""
        async with asyncio.timeout(TIMEOUT):
            while len(self.keys(message)) < times:
                self._grown.clear()
                await self._grown.wait()
        return self.keys(message)

    def _add(self, level: str, message: str, keys: dict[str, Any]) -> None:
        self.lines.append((level, message, keys))
        self._grown.set()
