"""The parts of a message, depth first: where each begins and ends, and what its headers say (RFC 2045, 2046). Pure.

- The walk works on offsets into the received bytes, the outer multipart first. A part ends at the next delimiter of its
  own multipart, even if a multipart inside it is open. `find` looks for a delimiter when it is needed; a stack replaces
  recursion.
- A delimiter is a whole line, so one boundary may be the beginning of another.
- Past a limit the rest is one part without a type: of the message for parts and delimiters, of the part for depth and
  headers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from . import headers as mime_headers
from . import parameters as mime_parameters
from .charsets import SLICE
from .defects import Defects
from .encodings import IDENTITY
from .headers import Block
from .parameters import Parameters

MAX_DEPTH: Final = 50
"""Most nested multiparts that are opened."""
MAX_PARTS: Final = 1000
"""Most parts of a message that are read."""
MAX_REJECTED: Final = 10_000
"""Most lines that resemble a delimiter and are not one, in a whole message."""

UNKNOWN_TYPE: Final = "application/octet-stream"

_LF, _CR = b"\n\r"


class Leaf(msgspec.Struct, gc=False):
    """A part that is not a multipart.

    `kind`: the type that decides what it is, lower case, "" for the rest after a limit. `listed`: the type that a user
    sees. `parameters`: of its type. `fields`: its first Content headers, lower-case name -> value. `encoding`: its
    transfer encoding. `start`, `end`: the range of its body, still encoded.
    """

    kind: str
    listed: str
    parameters: Parameters
    fields: dict[bytes, bytes]
    encoding: str
    start: int
    end: int


class _Multipart:
    """An open multipart.

    `pos`: the offset of the next part, -1 after the last. `closed`: `pos` is after a closing delimiter. `child`: the
    number of the current part. `chosen`: in a multipart/alternative, type -> the child whose body was taken.
    """

    __slots__ = ("alternative", "child", "chosen", "closed", "delimiter", "digest", "end", "pos")

    def __init__(self, kind: str, delimiter: bytes, pos: int, end: int) -> None:
        self.alternative = kind == "multipart/alternative"
        self.digest = kind == "multipart/digest"
        self.delimiter = delimiter
        self.pos = pos
        self.end = end
        self.closed = False
        self.child = 0
        self.chosen: dict[str, int] = {}


_Delimiter = tuple[int, int, bool]
"""A delimiter line: the end of the part before it, the offset of the part after it, whether it is a closing one."""


class Walk:
    """A walk through the parts of one message. `other`: the charset of raw headers, as `read_block` takes it."""

    __slots__ = ("_data", "_defects", "_other", "_parts", "_rejected", "_stack")

    def __init__(self, data: bytes, defects: Defects, other: bytes) -> None:
        self._data = data
        self._defects = defects
        self._other = other
        self._stack: list[_Multipart] = []
        self._parts = 0
        self._rejected = 0

    def leaves(self, block: Block, start: int) -> Iterator[Leaf]:
        """Yield the leaves of the message at `start`, whose header block is `block`."""
        leaf = self._entity(block, start, len(self._data))
        if leaf is not None:
            yield leaf
        while self._stack:
            leaf = self._part()
            if leaf is not None:
                yield leaf

    def is_later(self) -> bool:
        """Return whether the current leaf is neither the first of its multipart nor an alternative."""
        return bool(self._stack) and self._stack[-1].child > 1 and not self._stack[-1].alternative

    @property
    def room(self) -> int:
        """How many more parts are read."""
        return MAX_PARTS - self._parts

    def is_first_alternative(self, kind: str) -> bool:
        """Return whether no earlier child of an open multipart/alternative has given the body of this type."""
        alternatives = [multipart for multipart in self._stack if multipart.alternative]
        if not alternatives:
            return True
        if any(each.chosen.get(kind, each.child) != each.child for each in alternatives):
            return False
        for each in alternatives:
            each.chosen[kind] = each.child
        return True

    def _part(self) -> Leaf | None:
        """Read the next part of the innermost multipart, or close it."""
        multipart = self._stack[-1]
        start = multipart.pos
        if multipart.closed:
            start = self._opening(multipart.delimiter, start, multipart.end)
            if self._rejected > MAX_REJECTED:
                return self._give_up(multipart.pos, "delimiters-limit")
            if start >= 0:
                self._defects["boundary-reopened"] = None
                multipart.closed = False
        if start < 0:
            self._stack.pop()
            return None
        self._parts += 1
        multipart.child += 1
        if self._parts > MAX_PARTS:
            return self._give_up(start, "parts-limit")
        found = self._delimiter(multipart.delimiter, start, multipart.end)
        if self._rejected > MAX_REJECTED:
            return self._give_up(start, "delimiters-limit")
        if found is None:
            self._defects["boundary-unclosed"] = None
            end = multipart.end
            multipart.pos = -1
        else:
            end, multipart.pos, multipart.closed = found
        return self._entity(mime_headers.read_block(self._data, start, end, self._defects, self._other), start, end)

    def _entity(self, block: Block, start: int, end: int) -> Leaf | None:
        """Return the message or part at `start`, whose header block is `block`, or open it if it is a multipart."""
        if block.limited:
            return _rest(block.body, end)
        fields: dict[bytes, bytes] = {}
        for name, value in block.fields:
            if name[0] not in b"Cc":  # faster than to look at the whole name
                continue
            lower = name.lower()
            if lower.startswith(b"content-"):
                if lower in fields:
                    self._defects["header-duplicate"] = None
                fields.setdefault(lower, value)
        kind = listed = "message/rfc822" if self._stack and self._stack[-1].digest else "text/plain"
        parameters: Parameters = {}
        if written := fields.get(b"content-type"):
            listed, parameters = mime_parameters.content_type(written, self._defects)
            kind = listed or kind
            listed = listed or UNKNOWN_TYPE
        encoding = ""
        if b"content-transfer-encoding" in fields:
            encoding = mime_parameters.transfer_encoding(fields[b"content-transfer-encoding"])
        if kind.startswith("multipart/"):
            boundary = mime_parameters.parameter(parameters, b"boundary", self._defects)[0].rstrip(b" \t")
            if boundary and len(self._stack) == MAX_DEPTH:
                self._defects["depth-limit"] = None
                return _rest(start, end)
            if self._opens(kind, boundary, encoding, block.body, end):
                return None
            if self._rejected > MAX_REJECTED:
                return self._give_up(block.body, "delimiters-limit")
            kind = listed = "text/plain"
        return Leaf(kind, listed, parameters, fields, encoding, block.body, end)

    def _opens(self, kind: str, boundary: bytes, encoding: str, body: int, end: int) -> bool:
        """Open the multipart whose body is at `body`. Return False if it has no part."""
        if not boundary:
            self._defects["boundary-missing"] = None
            return False
        delimiter = b"--" + boundary
        first = self._opening(delimiter, body, end)
        if self._rejected > MAX_REJECTED:
            return False
        if first < 0:
            self._defects["boundary-absent"] = None
            return False
        if encoding not in IDENTITY:
            self._defects["multipart-encoded"] = None
        self._stack.append(_Multipart(kind, delimiter, first, end))
        return True

    def _opening(self, delimiter: bytes, pos: int, end: int) -> int:
        """Return the offset of the part after the next opening delimiter, -1 for none."""
        while True:
            found = self._delimiter(delimiter, pos, end)
            if found is None:
                return -1
            _, pos, closes = found
            if not closes:
                return pos

    def _delimiter(self, delimiter: bytes, start: int, end: int) -> _Delimiter | None:
        """Return the next delimiter line from `start`, the beginning of a line, on (RFC 2046 section 5.1.1)."""
        data = self._data
        pos = start
        while True:
            stop = pos + SLICE
            window = min(stop + len(delimiter), end)
            dash = data.find(b"-", pos, window)  # finding a lone byte is forty times as fast, and base64 has no dash
            at = data.find(delimiter, dash, window) if dash >= 0 else -1
            if at < 0:
                if stop >= end:
                    return None
                pos = stop
                continue
            after = at + len(delimiter)
            next_line = data.find(b"\n", after, end) + 1
            if at == start or data[at - 1] == _LF:
                closes = data.startswith(b"--", after, end)
                if not data[after + 2 * closes : next_line or end].strip():
                    # The line end before a delimiter belongs to it.
                    if at > start:
                        at -= 2 if at - 2 >= start and data[at - 2] == _CR else 1
                    return at, next_line or end, closes
            self._rejected += 1
            if not next_line or self._rejected > MAX_REJECTED:
                return None
            pos = next_line  # a line has one chance

    def _give_up(self, start: int, defect: str) -> Leaf:
        """End the walk. Return the message from `start` on as one part."""
        self._defects[defect] = None
        self._stack.clear()
        return _rest(start, len(self._data))


def _rest(start: int, end: int) -> Leaf:
    """Return what is after a limit."""
    return Leaf("", UNKNOWN_TYPE, {}, {}, "", start, end)
