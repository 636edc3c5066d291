"""The rules of the HTML, in one reading of its tags; its links and images for the other rules. Pure.

A program that shows mail repairs HTML in its own way, so the rules read the tags as they are written, without a tree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from ..extract.links import is_pixel
from ..html_text import MAX_HTML, TAG, attributes_of, unescape
from .findings import MAX_PLACE, Findings
from .nesting import Nesting

MAX_VALUE: Final = 4096
"""Characters of an attribute's value that the rules read."""

_BY_TAG: Final = {
    **dict.fromkeys(("video", "audio"), "html-video"),
    **dict.fromkeys(("form", "input", "select", "textarea"), "html-form"),
    **dict.fromkeys(("iframe", "object", "embed", "applet"), "html-frame"),
}
_POSITION = re.compile(r"(?<![\w-])position\s*+:", re.IGNORECASE)
_WIDTH = re.compile(r"(?<![\w-])width\s*+:", re.IGNORECASE)
_EVENT = re.compile(r"[\s/\"']on[a-z]{3,20}\s*+=", re.IGNORECASE)
_DATA_SCRIPT = re.compile(r"""type\s*+=\s*+["']?application/(?:ld\+)?json""", re.IGNORECASE)


class Reference(NamedTuple):
    """A link or an image of the HTML. `text`: a link's; `at`: its position; `kind`: the name of its tag."""

    kind: str
    target: str
    text: str
    at: int


class Markup:
    """The tags of HTML, of its first mebibyte. `references`: the links and images that it has."""

    def __init__(self, html: str, found: Findings) -> None:
        self.references: list[Reference] = []
        self._html = html[:MAX_HTML]
        self._found = found
        self._nesting = Nesting(self._unclosed)
        self._link: tuple[str, int, int] | None = None  # target, position and where its text begins

    def read(self) -> None:
        """Read all tags, and add what is wrong with them."""
        for tag in TAG.finditer(self._html):
            if hidden := tag["hidden"]:
                self._read_hidden(hidden.lower(), tag)
            elif name := tag["name"]:
                lower = name.lower()
                if tag["end"]:
                    self._nesting.end(lower, tag.start())
                    if lower == "a":
                        self._end_link(tag.start())
                else:
                    self._nesting.begin(lower, tag.start())
                    self._read_tag(lower, tag)
        self._nesting.finish()
        self._end_link(len(self._html))

    def _where(self, at: int) -> str:
        return self._place(at, self._html[at : self._html.find(">", at, at + MAX_PLACE) + 1 or at + MAX_PLACE])

    def add(self, rule: str, at: int) -> None:
        """Add a finding at a position."""
        self._found.add(rule, self._where(at) if self._found.has_room(rule) else "")

    def _unclosed(self, at: int, what: str) -> None:
        self._found.add("tag-unclosed", self._place(at, what) if self._found.has_room("tag-unclosed") else "")

    def _place(self, at: int, what: str) -> str:
        line = self._html.count("\n", 0, at) + 1
        return f"HTML line {line}: {what}"

    def _read_hidden(self, name: str, tag: re.Match[str]) -> None:
        if name == "script" and not _DATA_SCRIPT.search(tag[0], 0, MAX_VALUE):
            self.add("html-script", tag.start())
        elif name == "style" and _POSITION.search(tag[0]):
            self.add("css-position", tag.start())

    def _read_tag(self, name: str, tag: re.Match[str]) -> None:
        at, attributes = tag.start(), tag["attributes"]
        if rule := _BY_TAG.get(name):
            self.add(rule, at)
        if not attributes or attributes.isspace():
            return
        if _EVENT.search(attributes):
            self.add("html-script", at)
        if _POSITION.search(attributes) and _POSITION.search(_values(attributes).get("style", "")):
            self.add("css-position", at)
        if name == "img":
            self._read_image(_values(attributes), at)
        elif name in ("a", "area"):
            self._end_link(at)
            target = _values(attributes).get("href")
            if target is not None and name == "a":
                self._link = target, at, tag.end()
            elif target is not None:
                self.references.append(Reference(name, target, "", at))

    def _read_image(self, values: Mapping[str, str], at: int) -> None:
        source, style = values.get("src", ""), values.get("style", "")
        self.references.append(Reference("img", source, "", at))
        if is_remote(source) and is_pixel(source, values):
            self.add("tracking-pixel", at)
            return
        if "alt" not in values:
            self.add("image-alt", at)
        if "width" not in values and not _WIDTH.search(style):
            self.add("image-size", at)

    def _end_link(self, end: int) -> None:
        if self._link is not None:
            target, at, begin = self._link
            text = TAG.sub("", self._html[begin : min(end, begin + MAX_VALUE)])
            self.references.append(Reference("a", target, " ".join(unescape(text).split()), at))
            self._link = None


def is_remote(target: str) -> bool:
    """Return whether a URL is one of the web."""
    return target[:8].lower().startswith(("http:", "https:", "//"))


def _values(attributes: str) -> dict[str, str]:
    """Return the attributes of a tag, without references to characters."""
    return {name: unescape(value[:MAX_VALUE]).strip() for name, value in attributes_of(attributes).items()}
