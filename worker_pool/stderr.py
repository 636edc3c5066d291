"""A worker's stderr, cut into lines: what is logged, and what is kept for the message about its death."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

MAX_LINE: Final = 64 * 1024
"""A longer line is passed on in pieces of this many bytes."""

KEPT_LINES: Final = 20
KEPT_WIDTH: Final = 500


class Lines:
    """Turns bytes, cut anywhere, into lines without their ends; invalid UTF-8 is replaced, empty lines are left out.

    `write` gets every line. `last` keeps the last 20, each cut to 500 characters.
    """

    __slots__ = ("_rest", "_write", "last")

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._rest = bytearray()
        self.last: deque[str] = deque(maxlen=KEPT_LINES)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if b"\n" not in data and len(self._rest) + len(data) < MAX_LINE:
            self._rest += data
            return
        *lines, rest = (bytes(self._rest) + data).split(b"\n")
        for line in lines:
            self._pass_on(line)
        whole = len(rest) - len(rest) % MAX_LINE
        self._pass_on(rest[:whole])
        self._rest = bytearray(rest[whole:])

    def flush(self) -> None:
        """Pass on a last line that has no end."""
        rest, self._rest = bytes(self._rest), bytearray()
        self._pass_on(rest)

    def _pass_on(self, line: bytes) -> None:
        for start in range(0, len(line), MAX_LINE):
            text = line[start : start + MAX_LINE].decode("utf-8", "replace").rstrip("\r")
            if text.strip():
                self.last.append(text[:KEPT_WIDTH])
                self._write(text)
