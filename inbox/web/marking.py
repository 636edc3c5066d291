"""Marks the hits of a search in the text of HTML, where no tag is. Pure.

The page marks hits in its own texts as static/hits.js does; the frame of a mail's HTML runs no script. So the host puts
`<mark>` around each hit. A mark begins and ends between characters, never inside a character reference.
What can still fail: a hit that a tag cuts, such as `or<b>der</b>`, has no mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ...mime.html_text import unescape
from ..records import fold

MAX_TEXT: Final = 256 * 1024
"""Characters of the text that are looked at, from its beginning."""
MAX_MARKS: Final = 2000
"""Marks of one page."""
MAX_HITS: Final = 128
"""Hits that are marked, the longest ones. No search has more."""

BEGIN: Final = '<mark style="background:#fde68a;color:#17202a">'
"""A mark's begin tag. Its style stands at the tag, so that a mail's style sheet seldom hides it."""
END: Final = "</mark>"

_CHARACTER = re.compile(r"&[#\w]+;?|\s+|.", re.DOTALL)


class Marker:
    """Marks hits, up to MAX_MARKS in the first MAX_TEXT characters. `hits`: folded texts, as `Query.hits` has them."""

    def __init__(self, hits: Sequence[str]) -> None:
        found = sorted({hit for hit in hits if hit}, key=len, reverse=True)[:MAX_HITS]
        self._hit = re.compile("|".join(map(re.escape, found)))  # one search for all: a mail has many short texts
        self._left = MAX_TEXT if found else 0
        self._marks = 0

    def mark(self, text: str) -> str:
        """Return the text between two tags of HTML with its hits marked."""
        if self._left <= 0 or self._marks >= MAX_MARKS or not text.strip():
            return text
        looked = text[: self._left]
        self._left -= len(text)
        pieces = []
        after = 0
        for start, end in self._spans(looked):
            pieces += [text[after:start], BEGIN, text[start:end], END]
            after = end
            self._marks += 1
            if self._marks >= MAX_MARKS:
                break
        return "".join([*pieces, text[after:]])

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where the text has a hit, in order; hits that touch are one."""
        folded, places = _folded(text)
        begin = end = 0
        for match in self._hit.finditer(folded):
            start = places[match.start()]
            if start > end:
                if end:
                    yield begin, end
                begin = start
            end = _end(places, match.end())
        if end:
            yield begin, end


def _end(places: Sequence[int], after: int) -> int:
    """Return where the character before `after` ends: one such as `ß` is several when it is folded."""
    while places[after] == places[after - 1]:
        after += 1
    return places[after]


def _folded(text: str) -> tuple[str, list[int]]:
    """Return a text as a search compares it, with one blank for white space, and the place of each character."""
    pieces = [""]
    places: list[int] = []
    for found in _CHARACTER.finditer(text):
        piece = " " if found[0].isspace() else fold(unescape(found[0]))
        if piece and not (piece == pieces[-1] == " "):
            pieces.append(piece)
            places += [found.start()] * len(piece)
    places.append(len(text))
    return "".join(pieces), places
