"""The header block of a message or a part: its fields, and where its body begins (RFC 5322). Pure.

Goal: stay with bytes, and loop over `find`, so that hostile headers cost linear time. A block is read field by field
over offsets; only the values are copied.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from .defects import Defects

MAX_BYTES: Final = 256 * 1024
"""Most header bytes of one part that are read."""
MAX_FIELDS: Final = 1000
"""Most fields of one part that are read."""

# RFC 5322 section 2.2: printable US-ASCII but the colon; section 4.5.3 allows blanks before the colon.
_NAME: Final = re.compile(rb"([!-9;-~]++)[ \t]*+:")
# A field in one line, like nearly all: name, value.
_FIELD: Final = re.compile(rb"([!-9;-~]++)[ \t]*+:[ \t]*+([^\n]*+)\n(?![ \t])")
_LF, _CR, _SPACE, _TAB, _HYPHEN = b"\n\r \t-"


class Block(NamedTuple):
    """A header block.

    `fields`: name and unfolded value, stripped. `body`: the offset of the body. `limited`: a limit ended the block, and
    `body` is the offset of its rest.
    """

    fields: list[tuple[bytes, bytes]]
    body: int
    limited: bool


def read_block(data: bytes, start: int, end: int, defects: Defects) -> Block:
    """Read the header block that begins at `start` of an entity that ends at `end` (RFC 5322 section 2.2)."""
    fields: list[tuple[bytes, bytes]] = []
    window = min(end, start + MAX_BYTES)
    pos = start
    while pos < window:
        first = data[pos]
        if first == _LF:
            return Block(fields, pos + 1, False)
        if first == _CR and data.startswith(b"\r\n", pos, window):
            return Block(fields, pos + 2, False)
        if len(fields) == MAX_FIELDS:
            break
        field = _FIELD.match(data, pos, window)
        if field is not None and first != _HYPHEN:
            name, value = field.groups()
            fields.append((name, value.rstrip(b" \t\r")))
            pos = field.end()
            continue
        stop, after, folded = _field_end(data, pos, window)
        field = _NAME.match(data, pos, stop)
        if field is None or data.startswith(b"--", pos):
            if not _is_skipped(data, pos, after, window, defects):
                return Block(fields, pos, False)
        else:
            is_cut = stop == window < end
            if is_cut:
                stop = after = _character_end(data, window)
            value = data[field.end() : stop]
            if folded:
                value = value.replace(b"\r\n", b"").replace(b"\n", b"")
            fields.append((field[1], value.strip(b" \t\r\n")))
            if is_cut:
                pos = after
                break
        pos = after
    if pos == end:
        return Block(fields, end, False)
    defects["headers-limit"] = None
    return Block(fields, pos, True)


def _field_end(data: bytes, pos: int, window: int) -> tuple[int, int, bool]:
    """Return where the field at `pos` ends, where the next line begins, and whether the field is folded."""
    folded = False
    at = pos
    while True:
        stop = data.find(b"\n", at, window)
        if stop < 0:
            return window, window, folded
        at = stop + 1
        if at == window or data[at] not in (_SPACE, _TAB):
            return stop, at, folded
        folded = True


def _is_skipped(data: bytes, pos: int, after: int, window: int, defects: Defects) -> bool:
    """Return whether to skip the line at `pos`, which is not a field. If not, the body begins there."""
    if data.startswith(b"--", pos):
        defects["header-end-missing"] = None
        return False
    defects["header-malformed"] = None
    return not data.startswith(b"--", after) and _NAME.match(data, after, window) is not None


def _character_end(data: bytes, at: int) -> int:
    """Return the last place up to `at` that is not inside a UTF-8 character."""
    for place in range(at, at - 4, -1):
        if data[place] & 0xC0 != 0x80:
            return place
    return at
