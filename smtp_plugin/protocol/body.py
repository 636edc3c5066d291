r"""A message's bytes on their way in: `DataBody` finds the end of DATA, `ChunkBody` takes BDAT chunks. Pure, no I/O.

What we want: the body byte-exact, in memory once, the end found in C, and no way to smuggle a second message.

- Only CR LF . CR LF ends DATA (the first line of the data counts as one behind a CR LF). A lone dot with a bare CR or a
  bare LF on either side of it is either smuggling or a client that will wait for ever: `smuggled` is set and the
  connection is to be closed. Other bare CR or LF bytes are kept and reported in `bare_newline`.
- A chunk of the network is searched with `bytes.find`, told clean of bare newlines by `IncrementalNewlineDecoder` (the
  one routine of the standard library that knows the three kinds of newline at memory speed), and kept whole. Stuffed
  dots are taken out with one `replace`, only where there is one.
- Bytes at the end of a chunk that may begin one of the patterns (`\r\n.\r` at most) are carried to the next, so that no
  pattern is ever cut. The carry begins as `\r\n`, which makes the first line a line like any other.
- Above `limit` the body is dropped and reading goes on, without keeping anything; `hopeless` says when to give up.

What can still fail: nothing here knows of time; slowness is the listener's to see.
"""

from __future__ import annotations

import io
import re
from typing import Final

PATIENCE: Final = 4
"""An over-size message is read to its end, but no further than this many times the limit."""

# A lone dot between two ends of line, at least one of which is not CR LF.
_SMUGGLED = re.compile(rb"(?<!\r)\n\.[\r\n]|\r\.[\r\n]|\r\n\.(?:\n|\r[^\n])")
# What a later byte may complete: the end of data, a lone dot, or a stuffed dot.
_UNDECIDED = re.compile(rb"(?:\r\n?|\n)(?:\.\r?)?\Z")
_SMALL: Final = 1024  # pieces below this are gathered ...
_GATHERED: Final = 65536  # ... into pieces of about this
_LONGEST = 5  # bytes of the longest of these patterns
_SKIPPED = 2  # the CR LF that the carry begins with is not the message's


class Budget:
    """The message bytes that all sessions of a listener may hold at once. `limit`: bytes, 0 for no limit.

    When `used` has reached it, no further message should be begun.
    """

    __slots__ = ("limit", "used")

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self.used = 0


class Body:
    """The bytes of one message as they come in, bounded by `limit` bytes (0: none) and by the listener's `budget`.

    `size`: bytes seen so far, kept or not. `too_big`: over the limit. `over_budget`: dropped for want of memory.
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
    def hopeless(self) -> bool:
        """Whether the message is so far over the limit that its end is not worth waiting for."""
        return 0 < PATIENCE * self.limit < self.size

    @property
    def kept(self) -> bool:
        """Whether the whole message is there."""
        return not (self.too_big or self.over_budget)

    def keep(self, data: bytes) -> None:
        """Add bytes of the message, or drop them all where they are too many."""
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
            self.charge(size)

    def charge(self, size: int) -> None:
        """Charge the budget with what is kept beside the message, in bytes, until `release`."""
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
        """Let go of the bytes and give them back to the budget. May be called twice."""
        self.budget.used -= self._held
        self._held = 0
        self._chunks = []


class ChunkBody(Body):
    """A message that comes in BDAT chunks (RFC 3030): literal bytes, counted by the client.

    `remaining`: bytes of the current chunk still to come. `last`: whether the current chunk is the last.
    """

    __slots__ = ("last", "remaining")

    def __init__(self, limit: int, budget: Budget) -> None:
        super().__init__(limit, budget)
        self.remaining = 0
        self.last = False

    def feed(self, data: bytes, start: int) -> int:
        """Take what belongs to the current chunk, from `start`; return where the rest begins, -1 when all was taken."""
        end = start + self.remaining
        piece = data[start:end] if start or end < len(data) else data
        self.remaining -= len(piece)
        self.keep(piece)
        return -1 if self.remaining else end


class DataBody(Body):
    """A message that comes behind DATA (RFC 5321 section 4.5.2).

    `bare_newline`: a bare CR or LF was seen. `smuggled`: a lone dot between other ends of line than CR LF was seen;
    nothing after it may be believed.
    """

    __slots__ = ("_carry", "_newlines", "_skip", "bare_newline", "smuggled")

    def __init__(self, limit: int, budget: Budget) -> None:
        super().__init__(limit, budget)
        self.bare_newline = False
        self.smuggled = False
        self._carry = b"\r\n"
        self._skip = _SKIPPED
        self._newlines = io.IncrementalNewlineDecoder(None, False)

    def feed(self, data: bytes, start: int) -> int:
        """Take bytes from `start` on; return where the command behind the end of data begins, -1 before the end.

        When `smuggled` is set afterwards, the returned position means nothing.
        """
        carry = self._carry
        piece = data[start:] if start else data
        if carry:
            piece = carry + piece
        # A lone byte is found sixty times as fast as three in a row, and base64 has no dot before the end of data.
        dot = piece.find(b".")
        if dot >= 0:
            dot = piece.find(b"\r\n.", max(0, dot - 2))
        end = piece.find(b"\r\n.\r\n", dot) if dot >= 0 else -1
        if end >= 0:
            self._carry = b""
            self._check_newlines(piece if end + 5 == len(piece) else piece[: end + 5])
            self._keep_lines(piece, end + 2, dot < end)
            return start + end + 5 - len(carry)
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
        self._keep_lines(piece, len(piece), dot >= 0)
        return -1

    def _check_newlines(self, piece: bytes) -> None:
        if not self.bare_newline:
            self._newlines.decode(piece.decode("latin-1"))
            self.bare_newline = self._newlines.newlines not in (None, "\r\n")
        if self.bare_newline and _SMUGGLED.search(piece):
            self.smuggled = True

    def _keep_lines(self, piece: bytes, end: int, stuffed: bool) -> None:
        """Keep `piece` up to `end`, without the stuffing and without the CR LF that the first carry brought in."""
        if stuffed:
            piece = piece[:end].replace(b"\r\n.", b"\r\n")
            end = len(piece)
        if end:
            self.keep(piece[self._skip : end])
            self._skip = 0
