"""The readable text of a mail's HTML, for a mail without a text part. Pure.

Goal: the words in their order, with lines, paragraphs and the targets of links, in time and room in proportion to the
HTML. What does not work, measured with hostile HTML of 200 KB: `html.parser` and html2text take 17 s for repeated
`<!--`; selectolax takes 2 s for nested `<div>`, and 16 times as long for four times as many; inscriptis makes 160 MB of
a table, and loses text that is nested 300 deep. What we do: read one tag after the other, without a tree.

- A tag without its end reaches to the end of the HTML, so each character is read once.
- Content that no browser shows is left out: scripts, styles, the title, comments.

Limit: no layout, and CSS does not count: hidden text is there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

MOST_ATTRIBUTES: Final = 50
"""Attributes of a tag that are read."""
MAX_HTML: Final = 1024 * 1024
"""Characters of the HTML that are read."""

STEP: Final = 64 * 1024
"""Characters of HTML that one call into C searches."""
LONGEST_TAG: Final = 64
"""Characters of the name of a tag that `raw_end` and its like look for."""

TAG: Final = re.compile(
    r"""<(?:!--.*?(?:-->|\Z)
    | (?P<hidden>script|style|title|template)\b.*?(?:</(?P=hidden)\b[^>]*+(?:>|\Z)|\Z)
    | (?P<end>/?+)(?P<name>[a-z][a-z0-9]*+)
      (?P<attributes>(?:[^>=]++|=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))?+)*+)(?:>|\Z)
    | [!?/][^>]*+(?:>|\Z))""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_LINE: Final = """address article aside body caption center dd div dl dt fieldset figcaption figure footer form header
    hr html legend li main nav section tr table thead tbody tfoot"""
_PARAGRAPH: Final = "blockquote h1 h2 h3 h4 h5 h6 ol p pre ul"
BREAKS: Final = {**dict.fromkeys(_LINE.split(), 1), **dict.fromkeys(_PARAGRAPH.split(), 2)}
ATTRIBUTE: Final = re.compile(r"""([^\s=/"'>]++)\s*+(?:=\s*+("[^"]*+"?+|'[^']*+'?+|[^\s"'>][^\s>]*+))?+""")
_TARGET: Final = re.compile(r"(?:https?|mailto|tel|ftp):", re.IGNORECASE)
_BLANKS: Final = re.compile(r"[ \t\r\n\f]++")
_RUN: Final = re.compile(r" {2,}+")
_AROUND: Final = re.compile(r" ?\n ?")  # after runs of blanks are one
_LINES: Final = re.compile(r"\n{3,}+")
_LEADING_ZEROS: Final = re.compile(r"&#0+(?=[0-9])")
_NO_CHARACTER: Final = re.compile(r"&#[0-9]{8,};?")


def matches(pattern: re.Pattern[str], text: str, longest: int, pos: int = 0) -> Iterator[re.Match[str]]:
    """Yield the matches of at most `longest` characters. No call into C holds the interpreter for long."""
    for start in range(pos, len(text), STEP):
        stop = start + STEP
        for found in pattern.finditer(text, max(pos, start), stop + longest) if pos < stop else ():
            if found.start() >= stop:
                break
            yield found
            pos = found.end()


def raw_end(text: str, tag: str, pos: int) -> re.Match[str] | None:
    """Return the beginning of the end tag of an element whose content is not markup, None for no end tag."""
    pattern = re.compile(rf"</{tag}(?=[\s/>])", re.IGNORECASE)
    return next(matches(pattern, text, LONGEST_TAG, pos), None)


def unescape(text: str) -> str:
    """Return a text with its character references resolved, also those with more digits than Python takes."""
    return html.unescape(_NO_CHARACTER.sub("\ufffd", _LEADING_ZEROS.sub("&#", text))) if "&" in text else text


def text_of(source: str) -> str:
    """Return the readable text of HTML, with LF line ends, of its first MAX_HTML characters."""
    # Each tag gives four groups: the first is a hidden element's name.
    parts = TAG.split(_BLANKS.sub(" ", source[:MAX_HTML]))
    writer = _Writer()
    writer.text(parts[0])
    for end, name, attributes, text in zip(parts[2::5], parts[3::5], parts[4::5], parts[5::5], strict=True):
        if name is not None:
            lower = name.lower()
            if lower in BREAKS:
                writer.gap = max(writer.gap, BREAKS[lower])
                writer.bullet = "- " if lower == "li" and not end else ""
            elif lower in _ACTIONS:
                _ACTIONS[lower](writer, end, attributes)
        if text:
            writer.text(text)
    writer.end_link()
    written = _RUN.sub(" ", unescape("".join(writer.pieces)).replace("\xa0", " ").replace("\0", ""))
    return _LINES.sub("\n\n", _AROUND.sub("\n", written)).strip()


class _Writer:
    """The text so far. `gap`: line ends due before the next word; `bullet`: the mark of a list's item due there."""

    __slots__ = ("_shown", "_target", "bullet", "gap", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.gap = 0
        self.bullet = ""
        self._target = ""  # of the open link
        self._shown = 0  # pieces before the open link

    def text(self, text: str) -> None:
        if self.gap:
            text = text.lstrip(" ")
            if not text:
                return
            self.pieces.append("\n" * self.gap + self.bullet)
            self.gap = 0
        self.pieces.append(text)

    def link(self, end: str, attributes: str) -> None:
        self.end_link()
        if not end:
            self._target = unescape(_attribute(attributes, "href")).replace(" ", "")
            self._shown = len(self.pieces)

    def end_link(self) -> None:
        """Add the target of the open link after its text, unless the text is the target."""
        target, self._target = self._target, ""
        if target and _TARGET.match(target):
            text = unescape("".join(self.pieces[self._shown :])).strip()
            if text not in (target, target.partition(":")[2], target.partition("//")[2]):
                target = target.replace("&", "&amp;")
                self.pieces.append(f" [{target}]" if text else target)

    def image(self, _: str, attributes: str) -> None:
        self.text(_attribute(attributes, "alt"))

    def line_end(self, *_: str) -> None:
        self.pieces.append("\n")

    def cell(self, *_: str) -> None:
        self.pieces.append(" ")


_ACTIONS: Final[dict[str, Callable[[_Writer, str, str], None]]] = {
    "a": _Writer.link,
    "br": _Writer.line_end,
    "img": _Writer.image,
    "td": _Writer.cell,
    "th": _Writer.cell,
}


def _attribute(attributes: str, wanted: str) -> str:
    """Return the value of an attribute, "" for none."""
    for attribute in ATTRIBUTE.finditer(attributes):
        if attribute[1].lower() == wanted:
            return (attribute[2] or "").strip("\"'")
    return ""


def attributes_of(attributes: str) -> dict[str, str]:
    """Return the first attributes of a tag as written, by lower-case names; the first of a name counts."""
    found: dict[str, str] = {}
    for attribute in islice(ATTRIBUTE.finditer(attributes), MOST_ATTRIBUTES):
        found.setdefault(attribute[1].lower(), (attribute[2] or "").strip("\"'"))
    return found
