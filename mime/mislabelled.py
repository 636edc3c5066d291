"""What is base64 in a body that claims to be. Some senders label plain words; some relays add words to base64. Pure.

A line of base64 has no blank inside and nothing foreign (RFC 2045 section 6.8). A line of words has a blank inside, or
much that is foreign. What is neither may be base64 that is damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

_SIGNS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_BLANKS: Final = b" \t\r\n"
_SLICE: Final = 16 * 1024  # bytes that are divided into lines at once
_LINE: Final = 16  # characters of a line of base64 that is not the last one
_CERTAIN: Final = 64  # characters of base64 that no words are
_MOST_FOREIGN: Final = 4  # one of so many characters of damaged base64 is foreign, at most
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {*b"\t\n\f\r\x1b"})


class Survey(NamedTuple):
    """The lines of a body that claims to be base64.

    `start`, `end`: the range that may be base64; words are before and after it. `is_certain`: it is base64. `words`:
    lines of words. `others`: lines that are neither words nor empty. `is_foreign`: the body holds something foreign.
    """

    start: int
    end: int
    is_certain: bool
    words: int
    others: int
    is_foreign: bool


def survey(data: bytes, start: int, end: int) -> Survey:
    """Return what the lines of `data[start:end]` are."""
    words = others = signs = 0
    is_padded = is_foreign = False
    first = last_end = -1  # of the lines that are base64
    lead_end = start  # after the last line of words before them
    tail_start = -1  # the first line of words after the last of them
    for at, stop in _lines(data, start, end):
        line = data[at:stop].strip(_BLANKS)
        if not line:
            continue
        foreign = line.translate(None, _SIGNS)
        is_foreign = is_foreign or bool(foreign)
        if (foreign and _has_blank(foreign)) or _MOST_FOREIGN * len(foreign) >= len(line):
            words += 1
            if first < 0:
                lead_end = stop
            elif tail_start < 0:
                tail_start = at
            continue
        others += 1
        padded = line.endswith(b"=") and line[:1] != b"="
        if not foreign and len(line) % 4 == 0 and (padded or len(line) >= _LINE):
            first = at if first < 0 else first
            last_end, tail_start = stop, -1
            is_padded = padded
            signs += len(line)
    if first < 0:
        return Survey(start, end, False, words, others, is_foreign)
    stop = end if tail_start < 0 else last_end if is_padded else tail_start
    return Survey(lead_end, stop, is_padded or signs >= _CERTAIN, words, others, is_foreign)


def is_readable(content: bytes) -> bool:
    """Return whether decoded bytes are text: UTF-8 without controls."""
    try:
        str(content, "utf-8")
    except UnicodeError:
        return False
    return len(content.translate(None, _CONTROLS)) == len(content)


def _has_blank(text: bytes) -> bool:
    return b" " in text or b"\t" in text


def _lines(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = data.find(b"\n", start, min(end, start + _SLICE)) + 1 or min(end, start + _SLICE)
        yield start, stop
        start = stop
