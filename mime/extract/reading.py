"""A mail as lines of text, with what marks each part of them; and the elements of its HTML that have targets.

Goal: a code stands out by its surroundings: alone in a line, large, bold, in an element of class `otp`. What does not
work: the readable text of html_text.py, which has lost the elements. What we do: read its tags once more, keep a stack
of at most DEPTH open elements, and note where the weight of the text changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..html_text import BREAKS, MAX_HTML, TAG, attributes_of, unescape

DEPTH: Final = 64
"""Open elements that are remembered. Those outside them mark nothing."""
MAX_LINE: Final = 2000
"""Characters of a line in which codes are found."""
MAX_LINES: Final = 5000
"""Lines in which codes are found."""
MAX_SPANS: Final = 200
"""Marked parts of a line."""

PLAIN, BOLD, LARGE, NAMED = range(4)
"""The weights of a text: none; bold or italic; large, spaced or monospaced; an element named for codes."""

_WEIGHTS: Final = {
    **dict.fromkeys(["b", "strong", "em", "i", "u", "mark"], BOLD),
    **dict.fromkeys(["h1", "h2", "h3", "h4", "code", "kbd", "samp", "tt", "pre", "big"], LARGE),
}
_VOID: Final = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_LARGE: Final = re.compile(
    r"letter-spacing\s*+:\s*+\.?[1-9]|font-size\s*+:\s*+(?:[2-9]\d|1\d\d|[2-9](?:\.\d+)?(?:r?em)|1\.[5-9]\d*+r?em)"
    r"|font-family\s*+:[^;]{0,80}(?:monospace|courier|consolas|menlo)",
    re.IGNORECASE,
)
_BOLD: Final = re.compile(r"font-weight\s*+:\s*+(?:bold|[6-9]00)", re.IGNORECASE)
_NAMED: Final = re.compile(
    r"one-time-code|(?:^|[\s_-])(?:otp|pin|passcode|(?:verif\w{0,12}|login|security|auth|confirm\w{0,7}|access|2fa)[_-]?code"
    r"|code[_-]?(?:box|digits?|value|block)|verificationCode)(?:$|[\s_-])",
    re.IGNORECASE,
)


class Span(NamedTuple):
    """A marked part of a line."""

    start: int
    end: int
    weight: int


class Line(NamedTuple):
    """A line of text, white space within it made single. `place`: subject, text or html."""

    text: str
    spans: tuple[Span, ...] = ()
    place: str = "text"

    def weight(self, start: int, end: int) -> int:
        """Return the largest weight of a span that has all of a part of the line."""
        return max((span.weight for span in self.spans if span.start <= start and end <= span.end), default=PLAIN)


def lines_of_text(text: str, place: str = "text") -> list[Line]:
    """Return the lines of a plain text, without empty ones; `*word*` and `**word**` are bold."""
    return [
        Line(shown, tuple(Span(*found.span(), BOLD) for found in _STARRED.finditer(shown)), place)
        for line in text[:MAX_HTML].splitlines()[:MAX_LINES]
        if (shown := " ".join(line[:MAX_LINE].split()))
    ]


_STARRED: Final = re.compile(r"\*{1,2}[^*\s][^*]{0,40}\*{1,2}")


def lines_of_html(source: str) -> list[Line]:
    """Return the lines of HTML, without empty ones."""
    reader = _Reader()
    for name, is_end, attributes, text in tags(source):
        reader.tag(name, is_end, attributes)
        if text:
            reader.text(text)
        if len(reader.lines) >= MAX_LINES:
            break
    reader.end_line()
    return reader.lines


def tags(source: str) -> Iterator[tuple[str, bool, str, str]]:
    """Yield each tag of HTML: name, whether it ends an element, attributes, and the text after it."""
    parts = TAG.split(source[:MAX_HTML])
    yield "", False, "", parts[0]
    for end, name, attributes, text in zip(parts[2::5], parts[3::5], parts[4::5], parts[5::5], strict=True):
        yield (name or "").lower(), bool(end), attributes or "", text or ""


class _Reader:
    """The lines so far."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._pieces: list[str] = []
        self._length = 0
        self._spans: list[Span] = []
        self._open: list[tuple[str, int]] = []

    def tag(self, name: str, is_end: bool, attributes: str) -> None:
        if name in BREAKS or name == "br":
            self.end_line()
        elif name in ("td", "th"):
            self._add(" ", PLAIN)
        if not name or name in _VOID:
            if name == "input" and "one-time-code" in attributes:
                self._add(unescape(attributes_of(attributes).get("value", "")), NAMED)
        elif is_end:
            self._close(name)
        else:
            self._open.append((name, _weight(name, attributes)))
            del self._open[:-DEPTH]

    def text(self, text: str) -> None:
        self._add(unescape(text), max((weight for _, weight in self._open), default=PLAIN))

    def end_line(self) -> None:
        text = "".join(self._pieces).strip()
        if text:
            self.lines.append(Line(text, tuple(self._spans[:MAX_SPANS]), "html"))
        self._pieces.clear()
        self._spans.clear()
        self._length = 0

    def _add(self, text: str, weight: int) -> None:
        """Add a text with single spaces, and none at the beginning of a line."""
        words = " ".join(_INVISIBLE.sub("", text).split())
        if text[:1].isspace() and self._pieces and not self._pieces[-1].endswith(" "):
            self._append(" ")
        if words and self._length < MAX_LINE:
            start = self._length
            self._append(words[: MAX_LINE - start])
            if weight:
                self._mark(start, self._length, weight)
            if text[-1:].isspace():
                self._append(" ")

    def _mark(self, start: int, end: int, weight: int) -> None:
        last = self._spans[-1] if self._spans else None
        if last and last.end == start and last.weight == weight:  # a code whose digits have an element each
            self._spans[-1] = Span(last.start, end, weight)
        else:
            self._spans.append(Span(start, end, weight))

    def _append(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    def _close(self, name: str) -> None:
        for index in range(len(self._open) - 1, -1, -1):
            if self._open[index][0] == name:
                del self._open[index:]
                return


_INVISIBLE: Final = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\u034f]")


def _weight(name: str, attributes: str) -> int:
    weight = _WEIGHTS.get(name, PLAIN)
    if "=" not in attributes:
        return weight
    if "style" in attributes or "STYLE" in attributes:
        if _LARGE.search(attributes):
            weight = max(weight, LARGE)
        elif _BOLD.search(attributes):
            weight = max(weight, BOLD)
    found = attributes_of(attributes)
    names = (found.get(key, "")[:200] for key in ("class", "id", "data-testid", "itemprop", "autocomplete"))
    return NAMED if any(map(_NAMED.search, filter(None, names))) else weight
