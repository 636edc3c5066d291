"""A mail's HTML, rewritten so that it is safe to show: allowed tags and attributes alone. Pure, no I/O.

What we want: a mail looks as its sender meant it, runs nothing and loads nothing.
What does not work: one defence alone. The frame's sandbox runs no script, and POLICY loads nothing; but neither stops a
browser that opens a connection for `<link rel=preconnect>`. A library that builds a tree takes minutes for some
megabytes of `<div>`.
What we do: read one tag after the other, in time proportional to the length, and write the allowed ones anew. A browser
then reads the same tags as we do: every other `<` is escaped. No written tag changes how the next one is read. The
exception is `<style>`, and no tag can begin inside it.
What can still fail: CSS stays as it is, so the policy alone keeps it from loading. A link leads where it says.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

MAX_EMBEDDED: Final = 48 * 1024 * 1024
"""Characters of inline images in one page; an image beyond that is left out."""
MAX_MARKUP: Final = 500_000
"""Tags, attributes, comments and images of one page, about two seconds; the page ends there."""
MAX_PAGE: Final = 64 * 1024 * 1024
"""Bytes of one page; it ends there."""
MAX_ATTRIBUTES: Final = 1000
"""Attributes of one tag; the tag ends there."""
SLICE: Final = 5000
"""Tags, attributes and comments of one call of `work`."""

POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""The Content-Security-Policy of the page that a `Rewriter` returns."""

_WORD = re.compile(r"\w+")
TAGS: Final = frozenset(
    _WORD.findall("""
    a abbr acronym address article aside b bdi bdo big blockquote body br caption center cite code col colgroup dd del
    details dfn dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 head header hgroup hr html i img ins
    kbd li main map mark menu nav nobr ol p pre q rp rt ruby s samp section small span strike strong style sub summary
    sup table tbody td tfoot th thead time tr tt u ul var wbr
    """)
)
ATTRIBUTES: Final = frozenset(
    _WORD.findall("""
    abbr align alt axis bgcolor border cellpadding cellspacing class clear color cols colspan compact dir face frame
    headers height hspace id lang link media noshade nowrap open role rowspan rules scope size span start style summary
    text title type valign value vlink vspace width
    """)
)
_REMOVED: Final = frozenset(
    _WORD.findall("script title textarea iframe noembed noframes xmp plaintext object applet select")
)
"""Tags that are removed with their content."""

_NAME = re.compile(r"[a-zA-Z][^\s/>\x00]*")
_ATTRIBUTE = re.compile(r"""[\s/]*([^\s/>=][^\s/>=]*)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s>"'][^\s>]*))?""")
_REST = re.compile(r"[^>]*>?")
_LINK = re.compile(r"(?:https?|mailto|tel):", re.IGNORECASE)
_IMAGE = re.compile(r"data:image/[a-z.+-]+[;,]", re.IGNORECASE)
_CID_URL = re.compile(r"""url\(\s*(["']?)cid:([^"'()\s]+)\1\s*\)""", re.IGNORECASE)
_LEADING_ZEROS = re.compile(r"&#0+(?=[0-9])")
_NO_CHARACTER = re.compile(r"&#[0-9]{8,};?")
_BLANKS = re.compile(r"[\x00-\x20]+")

_HEAD = (
    '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
    "<style>html{background:#fff;color:#111;color-scheme:light;font:15px/1.5 system-ui,sans-serif}"
    "body{margin:16px;overflow-wrap:anywhere}img{max-width:100%;height:auto}</style>\n"
)


class Image(NamedTuple):
    """An inline image of the mail. `content`: called if the mail shows it."""

    content_type: str
    size: int
    content: Callable[[], bytes]


_CUT = "<p><b>This mail goes on; its source has all of it.</b></p>"


def unescape(text: str) -> str:
    """Return a text with its character references resolved, also those with more digits than Python takes."""
    return html.unescape(_NO_CHARACTER.sub("\ufffd", _LEADING_ZEROS.sub("&#", text)))


class Rewriter:
    """Makes a page that shows a mail's HTML, slice by slice: `work` until it returns True, then `page`.

    `images`: by Content-ID, embedded where the mail says `cid:`.
    """

    def __init__(self, text: str, images: Mapping[str, Image]) -> None:
        self._text = text.replace("\x00", "")
        self._images = images
        self._embedded: dict[str, str] = {}
        self._left = MAX_EMBEDDED
        self._out: list[str] = []
        self._slices = [_HEAD.encode()]
        self._size = 0
        self._pos = 0
        self._markups = 0

    def work(self) -> bool:
        """Rewrite one slice. Return whether it was the last one."""
        ended = self._slice(self._markups + SLICE)
        self._slices.append("".join(self._out).encode())
        self._size += len(self._slices[-1])
        self._out.clear()
        return ended

    def page(self) -> bytes:
        """Return the page."""
        return b"".join(self._slices)

    def _slice(self, stop: int) -> bool:
        text = self._text
        while self._markups < stop:
            at = text.find("<", self._pos)
            if at < 0 or self._markups >= MAX_MARKUP or self._size >= MAX_PAGE:
                self._out.append(text[self._pos :] if at < 0 else _CUT)
                return True
            self._out.append(text[self._pos : at])
            self._pos = self._markup(at)
            self._markups += 1
        return False

    def _markup(self, at: int) -> int:
        """Rewrite the markup that begins at `at`, with its `<`. Return the position after it."""
        text = self._text
        if text.startswith("<!--", at):
            end = text.find("-->", at + 2)  # `<!-->` is a whole comment
            return end + 3 if end >= 0 else len(text)
        closing = text.startswith("</", at)
        name = _NAME.match(text, at + 1 + closing)
        if name is None:
            if closing or text.startswith(("<!", "<?"), at):  # a comment, to a browser
                end = text.find(">", at)
                return end + 1 if end >= 0 else len(text)
            self._out.append("&lt;")
            return at + 1
        tag = name[0].lower()
        attributes, end = self._attributes(name.end())
        if closing:
            if tag in TAGS:
                self._out.append(f"</{tag}>")
            return end
        if tag in _REMOVED or tag == "style":
            return self._raw(tag, attributes, end)
        if tag in TAGS:
            self._write(tag, attributes)
        return end

    def _attributes(self, pos: int) -> tuple[dict[str, str], int]:
        """Return a tag's attributes, the first of each name, and the position after its `>`."""
        found: dict[str, str] = {}
        stop = self._markups + MAX_ATTRIBUTES
        while self._markups < stop and (match := _ATTRIBUTE.match(self._text, pos)):
            self._markups += 1
            value = match[2] or ""
            if value[:1] in ('"', "'"):
                value = value[1:-1]
            found.setdefault(match[1].lower(), unescape(value))
            pos = match.end()
        rest = _REST.match(self._text, pos)
        return found, rest.end() if rest else pos

    def _raw(self, tag: str, attributes: dict[str, str], pos: int) -> int:
        """Rewrite a tag whose content is not markup, up to its end tag or the end of the mail."""
        end = re.compile(rf"</{tag}(?=[\s/>])", re.IGNORECASE).search(self._text, pos)
        stop = end.start() if end else len(self._text)
        if tag == "style":
            self._write(tag, attributes)
            self._out.append(self._css(self._text[pos:stop]).replace("<", r"\3c "))
            self._out.append("</style>")
        return self._attributes(end.end())[1] if end else stop

    def _write(self, tag: str, attributes: dict[str, str]) -> None:
        kept = {name: value for name, value in attributes.items() if name in ATTRIBUTES}
        if "style" in kept:
            kept["style"] = self._css(kept["style"])
        if tag == "a":
            kept |= _link(attributes.get("href", ""))
        elif tag == "img":
            kept["src"] = self._image(attributes.get("src", ""))
        if "background" in attributes and (image := self._image(attributes["background"])):
            kept["background"] = image
        written = "".join(f' {name}="{html.escape(value)}"' for name, value in kept.items())
        self._out.append(f"<{tag}{written}>")

    def _image(self, source: str) -> str:
        """Return an image's source, a data URL; empty for an image that is not part of the mail."""
        source = source.strip()
        if source[:4].lower() == "cid:":
            return self._embed(source[4:])
        return source if _IMAGE.match(source) else ""

    def _embed(self, content_id: str) -> str:
        """Return an inline image as a data URL; empty for an unknown Content-ID, or beyond MAX_EMBEDDED."""
        self._markups += 1
        content_id = content_id.strip("<>")
        image = self._images.get(content_id)
        if image is None or not image.content_type.startswith("image/"):
            return ""
        prefix = f"data:{image.content_type};base64,"
        size = len(prefix) + (image.size + 2) // 3 * 4
        if size > self._left:
            return ""
        self._left -= size
        if content_id not in self._embedded:
            self._embedded[content_id] = prefix + base64.b64encode(image.content()).decode()
        return self._embedded[content_id]

    def _css(self, text: str) -> str:
        return _CID_URL.sub(lambda found: f'url("{self._embed(found[2])}")', text)


def _link(target: str) -> dict[str, str]:
    """Return the attributes of a link. It opens a new page, which learns nothing about this one."""
    target = _BLANKS.sub(" ", target).strip()
    if target.startswith("#"):
        return {}  # a browser would resolve it against the URL of the inbox's page, and open that
    if not _LINK.match(target):
        return {}
    return {"href": target, "target": "_blank", "rel": "noopener noreferrer"}
