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
from typing import Final

MAX_HTML: Final = 1024 * 1024
"""Characters of the HTML that are read."""

_TAG: Final = re.compile(
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
_BREAKS: Final = {**dict.fromkeys(_LINE.split(), 1), **dict.fromkeys(_PARAGRAPH.split(), 2)}
_ATTRIBUTE: Final = re.compile(r"""([^\s=/"'>]++)\s*+(?:=\s*+("[^"]*+"?+|'[^']*+'?+|[^\s"'>][^\s>]*+))?+""")
_TARGET: Final = re.compile(r"(?:https?|mailto|tel|ftp):", re.IGNORECASE)
_BLANKS: Final = re.compile(r"[ \t\r\n\f]++")
_RUN: Final = re.compile(r" {2,}+")
_AROUND: Final = re.compile(r" ?\n ?")  # after runs of blanks are one
_LINES: Final = re.compile(r"\n{3,}+")
_LEADING_ZEROS: Final = re.compile(r"&#0+(?=[0-9])")
_NO_CHARACTER: Final = re.compile(r"&#[0-9]{8,};?")


def unescape(text: str) -> str:
    """Return a text with its character references resolved, also those with more digits than Python takes."""
    return html.unescape(_NO_CHARACTER.sub("\ufffd", _LEADING_ZEROS.sub("&#", text))) if "&" in text else text


def text_of(source: str) -> str:
    """Return the readable text of HTML, with LF line ends, of its first MAX_HTML characters."""
    source = source[:MAX_HTML]
    writer = _Writer()
    done = 0
    for tag in _TAG.finditer(source):
        if done < tag.start():
            writer.text(source[done : tag.start()])
        done = tag.end()
        name = tag["name"]
        if name is None:
            continue
        name = name.lower()
        if name == "a":
            writer.end_link()
            if not tag["end"]:
                writer.begin_link(_attribute(tag["attributes"], "href"))
        elif name == "br":
            writer.pieces.append("\n")
        elif name in ("td", "th"):
            writer.pieces.append(" ")
        elif name == "img":
            writer.text(_attribute(tag["attributes"], "alt"))
        elif name in _BREAKS:
            writer.gap = max(writer.gap, _BREAKS[name])
            writer.bullet = "- " if name == "li" and not tag["end"] else ""
    writer.text(source[done:])
    writer.end_link()
    text = _RUN.sub(" ", unescape("".join(writer.pieces)).replace("\xa0", " ").replace("\0", ""))
    return _LINES.sub("\n\n", _AROUND.sub("\n", text)).strip()


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
        text = _BLANKS.sub(" ", text)
        if self.gap:
            text = text.lstrip(" ")
            if not text:
                return
            self.pieces.append("\n" * self.gap + self.bullet)
            self.gap = 0
        self.pieces.append(text)

    def begin_link(self, target: str) -> None:
        self._target = _BLANKS.sub("", unescape(target))
        self._shown = len(self.pieces)

    def end_link(self) -> None:
        """Add the target of the open link after its text, unless the text is the target."""
        target, self._target = self._target, ""
        if not _TARGET.match(target):
            return
        text = unescape("".join(self.pieces[self._shown :])).strip()
        if text not in (target, target.partition(":")[2], target.partition("//")[2]):
            self.pieces.append(f" [{target}]".replace("&", "&amp;") if text else target.replace("&", "&amp;"))


def _attribute(attributes: str, wanted: str) -> str:
    """Return the value of an attribute, "" for none."""
    for attribute in _ATTRIBUTE.finditer(attributes):
        if attribute[1].lower() == wanted:
            return (attribute[2] or "").strip("\"'")
    return ""
