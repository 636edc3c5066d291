r"""An incoming message's bytes: `DataBody` finds the end of DATA, `ChunkBody` takes BDAT chunks. Pure, no I/O.

Goal: the body byte-exact, in memory once, the end found in C, and no way to smuggle a second message.

- Only CR LF . CR LF ends DATA (the first line of the data counts as one after a CR LF). A lone dot beside a bare CR or
  a bare LF is smuggling, or the error of a client that would wait for ever. The body sets `smuggled`, and the dialog
  closes the connection. Other bare CR or LF bytes stay in the message; `bare_newline` reports them.
- `bytes.find` searches a piece of the network's input. `IncrementalNewlineDecoder` looks for bare newlines in it: the
  one routine of the standard library that knows the three kinds of newline at memory speed. The piece is kept whole;
  one `replace` removes stuffed dots, if there are any.
- A session that has never sent CR LF has another end of line. `LineFeedBody` gives its message CR LF up to the first
  CR LF of the session, and `DataBody` reads the result. From there on the rules above hold.
- A piece may end with the beginning of a pattern (`\r\n.\r` at most). Those bytes move to the next piece, so that no
  pattern is cut. The carry begins as `\r\n`, which makes the first line a line like any other.
- Above `limit` the body is dropped and reading goes on, without keeping anything, until `is_flood`.

Limit: a body does not measure time; the connection closes slow clients.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Final

OVERSIZE_FACTOR: Final = 4
"""The server reads an over-size message to its end, up to this many times the limit."""

# A lone dot between two ends of line, at least one of which is not CR LF.
_SMUGGLED = re.compile(rb"(?<!\r)\n\.[\r\n]|\r\.[\r\n]|\r\n\.(?:\n|\r[^\n])")
# The beginning of a pattern that a later byte may complete: the end of data, a lone dot, or a stuffed dot.
_UNDECIDED = re.compile(rb"(?:\r\n?|\n)(?:\.\r?)?\Z")
_SMALL: Final = 1024  # pieces below this are gathered ...
_GATHERED: Final = 65536  # ... into pieces of about this
_LONGEST = 5  # bytes of the longest of these patterns
_SKIPPED = 2  # the CR LF that the carry begins with is not part of the message


def has_lone_dot(piece: bytes) -> bool:
    """Return whether there is a lone dot between two ends of line, at least one of which is not CR LF.

    It is `_SMUGGLED.search` in a tenth of the time, which a client could make 20 ms for each piece.
    """
    if b"\n.\n" in piece or b"\r.\n" in piece or b"\r.\r" in piece:
        return True
    at = piece.find(b"\n.\r")
    while at >= 0:
        if _SMUGGLED.search(piece, max(0, at - 1), at + 4):
            return True
        at = piece.find(b"\n.\r", at + 1)
    return False


class Budget:
    """The message bytes that all sessions of a listener may hold at once. `limit`: bytes, 0 for no limit.

    While `used` is at the limit, the dialog refuses MAIL.
    """

    __slots__ = ("limit", "used")

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self.used = 0


class Body:
    """The bytes of one incoming message, bounded by `limit` bytes (0: none) and by the listener's `budget`.

    `size`: bytes that have arrived, kept or not. `too_big`: over the limit. `over_budget`: dropped, because the budget
    had no room.
    """

    __slots__ = ("_chunks", "_held", "budget", "limit", "over_budget", "size", "too_big")

    def __init__(self, limit: int, budget: Budget) -> None:
        self.limit = limit
        self.budget = budget
        self.size = 0
        self.too_big = False
        self.over_budget = False
        self._chunks: list[bytes | bytearray] = []
        self._held = 0

    @property
    def is_flood(self) -> bool:
        """Whether the message is over OVERSIZE_FACTOR times the limit, so that the server stops reading it."""
        return 0 < OVERSIZE_FACTOR * self.limit < self.size

    @property
    def kept(self) -> bool:
        """Whether the body still holds every byte that has arrived."""
        return not (self.too_big or self.over_budget)

    def keep(self, data: bytes) -> None:
        """Add bytes of the message, or drop the whole message when they are too many."""
        size = len(data)
        self.size += size
        budget = self.budget
        if self.limit and self.size > self.limit:
            self.too_big = True
            self.release()
        elif self.over_budget:
            return
        elif budget.limit and budget.used + size > budget.limit:
            self.over_budget = True
            self.release()
        else:
            chunks = self._chunks
            if size < _SMALL and chunks and len(chunks[-1]) < _GATHERED:
                # A piece of two bytes on its own would cost fifty.
                if isinstance(chunks[-1], bytearray):
                    chunks[-1] += data
                else:
                    chunks[-1] = bytearray(chunks[-1] + data)
            else:
                chunks.append(data)
            self._held += size
            budget.used += size

    def charge(self, size: int) -> None:
        """Charge the budget with `size` bytes more, until `release`."""
        self._held += size
        self.budget.used += size

    def content(self) -> bytes:
        """Return the message. The budget is charged until `release`."""
        chunks = self._chunks
        if len(chunks) == 1 and isinstance(chunks[0], bytes):
            return chunks[0]
        content = b"".join(chunks)
        self._chunks = [content]
        return content

    def release(self) -> None:
        """Drop the message and give its bytes back to the budget. A second call does nothing."""
        self.budget.used -= self._held
        self._held = 0
        self._chunks = []


class ChunkBody(Body):
    """A message in BDAT chunks (RFC 3030): literal bytes, counted by the client.

    `remaining`: bytes of the current chunk that have not arrived. `last`: whether the current chunk is the last.
    """

    __slots__ = ("last", "remaining")

    def __init__(self, limit: int, budget: Budget) -> None:
        super().__init__(limit, budget)
        self.remaining = 0
        self.last = False

    def feed(self, data: bytes, start: int) -> int:
        """Add the current chunk's bytes from `start` on; return where the chunk ends in `data`, -1 before its end."""
        end = start + self.remaining
        piece = data[start:end] if start or end < len(data) else data
        self.remaining -= len(piece)
        self.keep(piece)
        return -1 if self.remaining else end


class Skipped:
    """A refused BDAT chunk: its bytes are read and dropped, then `refuse` is called.

    `size`: bytes that have arrived. `remaining`: bytes that have not.
    """

    __slots__ = ("refuse", "remaining", "size")

    def __init__(self, remaining: int, refuse: Callable[[], None]) -> None:
        self.size = 0
        self.remaining = remaining
        self.refuse = refuse

    def feed(self, data: bytes, start: int) -> int:
        """Drop the chunk's bytes from `start` on; return where the chunk ends in `data`, -1 before its end."""
        end = start + self.remaining
        dropped = min(end, len(data)) - start
        self.size += dropped
        self.remaining -= dropped
        return -1 if self.remaining else end


class DataBody(Body):
    """A message after DATA (RFC 5321 section 4.5.2).

    `line_feeds`: every line of the session so far has ended in a bare LF. `bare_newline`: it holds a bare CR or LF.
    `smuggled`: it holds a lone dot between other ends of line than CR LF, so that the bytes after it must not be read.
    """

    __slots__ = ("_carry", "_newlines", "_skip", "bare_newline", "smuggled")
    line_feeds = False

    def __init__(self, limit: int, budget: Budget) -> None:
        super().__init__(limit, budget)
        self.bare_newline = False
        self.smuggled = False
        self._carry = b"\r\n"
        self._skip = _SKIPPED
        self._newlines = io.IncrementalNewlineDecoder(None, False)

    def feed(self, data: bytes, start: int) -> int:
        """Add bytes from `start` on; return where the command after the end of data begins, -1 before the end.

        If `smuggled` is set afterwards, the returned position is meaningless.
        """
        carry = self._carry
        if self._skip and carry == b"\r\n" and not data.startswith(b".", start):
            carry = b""  # the first line begins without a dot: the CR LF before it decides nothing
            self._skip = 0
        if carry:
            data = carry + (data[start:] if start else data)
            before, start = start - len(carry), 0
        else:
            before = 0
        # A lone byte is found sixty times as fast as three in a row, and base64 has no dot before the end of data.
        dot = data.find(b".", start)
        if dot >= 0:
            dot = data.find(b"\r\n.", max(start, dot - 2))
        end = data.find(b"\r\n.\r\n", dot) if dot >= 0 else -1
        if end >= 0:
            self._carry = b""
            # A copy of the message alone, because many may follow. The end of data adds nothing to check.
            piece = data[start : end + 2]
            self._check_newlines(piece)
            self._keep_lines(piece, dot < end)
            return before + end + 5
        piece = data[start:] if start else data
        if piece[-1] in b"\r\n.":
            undecided = _UNDECIDED.search(piece, max(0, len(piece) - _LONGEST))
            self._carry = undecided[0] if undecided else b""
        else:
            self._carry = b""
        if self._carry:
            # The last byte may end one pattern and begin the next, so look before it is carried.
            if _SMUGGLED.search(piece, max(0, len(piece) - 2 * _LONGEST)):
                self.smuggled = True
            piece = piece[: -len(self._carry)]
        self._check_newlines(piece)
        self._keep_lines(piece, dot >= 0)
        return -1

    def _check_newlines(self, piece: bytes) -> None:
        if not self.bare_newline:
            self._newlines.decode(piece.decode("latin-1"))
            self.bare_newline = self._newlines.newlines not in (None, "\r\n")
        if self.bare_newline and has_lone_dot(piece):
            self.smuggled = True

    def _keep_lines(self, piece: bytes, stuffed: bool) -> None:
        """Keep `piece` without the stuffed dots and without the CR LF that the first carry added."""
        if stuffed:
            piece = piece.replace(b"\r\n.", b"\r\n")
        if piece:
            self.keep(piece[self._skip :] if self._skip else piece)
            self._skip = 0


class LineFeedBody(DataBody):
    r"""A message after DATA in a session whose lines have all ended in a bare LF: each LF becomes CR LF.

    With the first CR LF the session is as any other: `line_feeds` becomes false, and the bytes from there on stay as
    they are. The line that ends there has begun after a bare LF, so that a lone dot in it is smuggling.
    """

    __slots__ = ("_has_cr", "line_feeds")

    def __init__(self, limit: int, budget: Budget) -> None:
        super().__init__(limit, budget)
        self.line_feeds = True
        self._has_cr = False  # the last byte was a CR, which is not read before the next one is there

    def feed(self, data: bytes, start: int) -> int:
        """Add bytes as `DataBody.feed` does."""
        if not self.line_feeds:
            return super().feed(data, start)
        piece = data[start:] if start else data
        if self._has_cr:
            piece = b"\r" + piece
            start -= 1
        at = piece.find(b"\r\n")
        self._has_cr = at < 0 and piece.endswith(b"\r")
        lines = piece[:at] if at >= 0 or self._has_cr else piece
        if lines:
            converted = lines.replace(b"\n", b"\r\n")
            end = super().feed(converted, 0)
            if end >= 0:
                return start + end - converted.count(b"\n", 0, end)
        if at < 0 or self.smuggled:
            return -1
        self.line_feeds = False
        if self._carry == b"\r\n." and not self._skip:
            self.smuggled = True
            return -1
        end = super().feed(piece[at:], 0)
        return start + at + end if end >= 0 else -1
