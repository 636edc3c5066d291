"""uuencoded files in the text of a plain mail, as `uuencode file | mail` sends them. Pure.

A file begins with `begin MODE NAME` and ends with `end`, and every line between has the length that its first character
declares (POSIX, uuencode). What only resembles a file stays text.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_uu
from typing import Final

_HEAD: Final = rb"begin [0-7]{3,4} ([^\r\n]++)\r?+\n"
_FIRST: Final = re.compile(_HEAD)
_BEGIN: Final = re.compile(rb"\n" + _HEAD)
_LF: Final = 0x0A
_END: Final = b"end"


def holds_file(data: bytes, start: int, end: int) -> bool:
    """Return whether a line in `data[start:end]` is the first one of a file."""
    if start and data[start - 1] == _LF:
        return _BEGIN.search(data, start - 1, end) is not None
    return bool(_FIRST.match(data, start, end) or _BEGIN.search(data, start, end))


def files(data: bytes, most: int) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return `data` without the uuencoded files in it, and their names and contents: at most `most` of them."""
    text: list[bytes] = []
    found: list[tuple[bytes, bytes]] = []
    done = 0
    begin = _FIRST.match(data) or _BEGIN.search(data)
    while begin and len(found) < most:
        content, after = _content(data, begin.end())
        if content is not None:
            text.append(data[done : begin.start(1)].rpartition(b"begin ")[0])
            found.append((begin[1], content))
            done = after
        begin = _BEGIN.search(data, after - 1)
    text.append(data[done:])
    return b"".join(text), found


def _content(data: bytes, pos: int) -> tuple[bytes | None, int]:
    """Return the content of the lines at `pos`, None if they are not uuencode, and the offset after those that are."""
    content = bytearray()
    at = pos
    while at < len(data):
        stop = data.find(b"\n", at) + 1 or len(data)
        line = data[at:stop].rstrip(b"\r\n")
        if line.rstrip() == _END:
            return bytes(content), stop
        try:
            content += a2b_uu(line)
        except Error:
            break
        at = stop
        if len(content) > at - pos:  # zeros fill a short line, but a few bytes must not become many
            break
    return None, at
