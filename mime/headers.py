"""The header block of a message or a part: its fields, and where its body begins (RFC 5322). Pure.

Goal: stay with bytes, and loop over `find`, so that hostile headers cost linear time. A block is read field by field
over offsets; only the values are copied.

A line that is not a field belongs to the field before it, when more fields or the empty line follow: some senders and
relays lose the indent of a folded line, and with it the boundary or a file name.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from . import charsets as mime_charsets
from .defects import Defects

MAX_BYTES: Final = 256 * 1024
"""Most header bytes of one part that are read."""
MAX_FIELDS: Final = 1000
"""Most fields of one part that are read."""

# RFC 5322 section 2.2: printable US-ASCII but the colon; section 4.5.3 allows blanks before the colon. No real name has
# `=`, and `boundary="a:b"` is a line that lost its indent.
_NAME: Final = re.compile(rb"([!-9;<>-~]++)[ \t]*+:")
# A field, like nearly all: its name, the value in its first line, and the blank that begins the next line of the value.
_FIELD: Final = re.compile(rb"(?!-)([!-9;<>-~]++)[ \t]*+:[ \t]*+([^\n]*+)\n([ \t]?)")
_FIELD_END: Final = re.compile(rb"\n(?![ \t])")
_INDENTED: Final = re.compile(rb"[ \t]++" + _NAME.pattern)
# Values without a structure: a line after one may be anything (RFC 5322 section 3.6.5, RFC 2045 section 8).
_UNSTRUCTURED: Final = frozenset((b"subject", b"comments", b"content-description"))
# A field with a bad name, or a line that a mailbox adds: it does not continue the field before it.
_ODD: Final = re.compile(rb"[^:=;,\"<]*+:|>From ")


class Block(msgspec.Struct, gc=False):
    """A header block.

    `fields`: name and unfolded value, stripped. `body`: the offset of the body. `limited`: a limit ended the block, and
    `body` is the offset of its rest.
    """

    fields: list[tuple[bytes, bytes]]
    body: int
    limited: bool


def read_block(data: bytes, start: int, end: int, defects: Defects, other: bytes = b"") -> Block:
    """Read the header block that begins at `start` of an entity that ends at `end` (RFC 5322 section 2.2).

    `other`: the charset of raw 8-bit values that are not UTF-8, b"" if it is unknown. They become UTF-8.
    """
    block = _read_fields(data, start, end, defects)
    if other:
        block.fields = [(name, _recoded(value, other, defects)) for name, value in block.fields]
    return block


def _read_fields(data: bytes, start: int, end: int, defects: Defects) -> Block:
    fields: list[tuple[bytes, bytes]] = []
    window = min(end, start + MAX_BYTES)
    pos = start
    while pos < window:
        field = _FIELD.match(data, pos, window)
        if field is not None and len(fields) < MAX_FIELDS:
            name, value, fold = field.groups()
            if not fold:
                fields.append((name, value.rstrip(b" \t\r")))
                pos = field.end()
                continue
            last = _FIELD_END.search(data, field.end(), window)
            if last is not None:
                fields.append((name, _unfolded(data[field.start(2) : last.start()])))
                pos = last.end()
                continue
        if data.startswith((b"\n", b"\r\n"), pos, window):
            return Block(fields, data.find(b"\n", pos) + 1, False)
        if len(fields) == MAX_FIELDS:
            break
        stop, after, folded = _field_end(data, pos, window)
        field = _NAME.match(data, pos, stop) or (_INDENTED.match(data, pos, stop) if pos == start else None)
        if field is None or data.startswith(b"--", pos):
            after = _bad_lines_end(data, pos, after, window, bool(fields), defects)
            if after < 0:
                return Block(fields, pos, False)
            if fields:
                fields[-1] = _continued(*fields[-1], data[pos:after])
        else:
            if stop == window < end:
                stop = after = window = _character_end(data, window)
            value = data[field.end() : stop]
            fields.append((field[1], _unfolded(value) if folded else value.strip(b" \t\r\n")))
        pos = after
    if pos == end:
        return Block(fields, end, False)
    defects["headers-limit"] = None
    return Block(fields, pos, True)


def _field_end(data: bytes, pos: int, window: int) -> tuple[int, int, bool]:
    """Return where the field at `pos` ends, where the next line begins, and whether the field is folded."""
    last = _FIELD_END.search(data, pos, window)
    stop, after = last.span() if last else (window, window)
    return stop, after, data.find(b"\n", pos, stop) >= 0


def _unfolded(value: bytes) -> bytes:
    """Return a value with one blank for each fold, whatever white space the fold is (RFC 5322 section 2.2.3)."""
    return b" ".join(filter(None, map(bytes.strip, value.split(b"\n"))))


def _bad_lines_end(data: bytes, pos: int, after: int, window: int, has_fields: bool, defects: Defects) -> int:
    """Return the end of the lines at `pos` that are not fields; -1 if the body begins there.

    A field follows them, or the empty line does. Before the first field, only a field right after one line counts.
    """
    if data.startswith(b"--", pos):
        defects["header-end-missing"] = None
        return -1
    defects["header-malformed"] = None
    while after < window:
        if data.startswith(b"--", after):
            return -1
        if _NAME.match(data, after, window):
            return after
        if not has_fields:
            return -1
        if data.startswith((b"\n", b"\r\n"), after):
            return after
        after = data.find(b"\n", after, window) + 1 or window
    return -1


def _continued(name: bytes, value: bytes, lines: bytes) -> tuple[bytes, bytes]:
    """Return a field with the lines after it whose indent is lost. Drop a line that is not likely to be its own."""
    if name.lower() in _UNSTRUCTURED:
        return name, value
    joined = bytearray(value)
    at = 0
    while at < len(lines):
        stop = lines.find(b"\n", at) + 1 or len(lines)
        line = lines[at:stop].strip(b" \t\r\n")
        if line and not _ODD.match(line):
            joined += b" " + line
        at = stop
    return name, bytes(joined)


def _recoded(value: bytes, other: bytes, defects: Defects) -> bytes:
    if value.isascii() or b"=?" in value:  # raw bytes in an encoded word are of its own charset
        return value
    return mime_charsets.decode(value, b"", defects, other).encode()


def _character_end(data: bytes, at: int) -> int:
    """Return the last place up to `at` that is not inside a UTF-8 character."""
    for place in range(at, at - 4, -1):
        if data[place] & 0xC0 != 0x80:
            return place
    return at
