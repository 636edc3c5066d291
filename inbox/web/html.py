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

import html
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from ...mime.html_text import raw_end, unescape
from .images import Image, Images, box_url, is_data, svg_url
from .marking import Marker

MAX_MARKUP: Final = 500_000
"""Tags, attributes, comments and images of one page, about two seconds; the page ends there."""
MAX_PAGE: Final = 64 * 1024 * 1024
"""Bytes of one page; it ends there."""
MAX_DOCTYPE: Final = 250
"""Characters of a DOCTYPE that the page keeps."""
MAX_ATTRIBUTES: Final = 1000
"""Attributes of one tag; the tag ends there."""
MAX_VALUE: Final = 128 * 1024
"""Characters of the value of an attribute or of a style sheet, and of one call of `work` where nothing is longer."""
MAX_SVG: Final = 1024 * 1024
"""Characters of an inline SVG; of a longer one the text remains."""
SLICE: Final = 5000
"""Tags, attributes and comments of one call of `work`."""

_POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
POLICY: Final = _POLICY.format("data:")
"""The Content-Security-Policy of the page that a `Rewriter` returns."""
REMOTE_POLICY: Final = _POLICY.format("data: https: http:")
"""The same for a page with remote images."""

COLOR_SCHEMES: Final = ("light", "dark")
"""The schemes that a page can have."""

_WORD = re.compile(r"\w+")
TAGS: Final = frozenset(
    _WORD.findall("""
    a abbr acronym address area article aside b bdi bdo big blockquote body br caption center cite code col colgroup dd
    del details dfn dir div dl dt em fieldset figcaption figure font footer h1 h2 h3 h4 h5 h6 head header hgroup hr html
    i img ins kbd label legend li main map mark menu nav nobr ol p pre q rp rt ruby s samp section small span strike
    strong style sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr
    """)
)
ATTRIBUTES: Final = frozenset(
    _WORD.findall("""
    abbr align alt axis bgcolor border bordercolor bottommargin cellpadding cellspacing class clear color cols colspan
    compact coords dir face frame headers height hidden hspace id lang leftmargin link marginheight marginwidth media
    noshade nowrap open reversed rightmargin role rowspan rules scope shape size span start style summary text title
    topmargin type usemap valign value vlink vspace width
    """)
)
_REMOVED: Final = frozenset(
    _WORD.findall("script title textarea iframe noembed noframes xmp plaintext object applet select")
)
"""Tags that are removed with their content."""
_COUNTED: Final = {
    "script": "scripts",
    "form": "forms",
    "iframe": "frames",
    "frame": "frames",
    "object": "frames",
    "embed": "frames",
    "applet": "frames",
    "video": "media",
    "audio": "media",
}
"""The count of `Blocked` that a removed tag belongs to."""

_NAME = re.compile(r"[a-zA-Z][^\s/>\x00]*")
_ATTRIBUTE = re.compile(r"""[\s/]*+([^\s/>=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+))?+""")
_REST = re.compile(r"[^>]*>?")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_DEAD: Final = frozenset(("javascript", "data", "vbscript", "about", "blob", "file", "filesystem", "view-source"))
"""Schemes of URLs that a link never opens: they run code, or show the reader's own machine."""
_PLAIN: Final = frozenset(("http", "https", "mailto"))
"""Schemes of links that need no title; a browser shows where these lead."""
_CSS_URL = re.compile(r"""url\(\s*+(?:"([^"()]*+)"|'([^'()]*+)'|([^"'()\s]*+))\s*+\)""", re.IGNORECASE)
_FONT = re.compile(r"\.(?:woff2?|ttf|otf|eot)(?:[?#]|$)", re.IGNORECASE)
_IMPORT = re.compile(r"@import\s", re.IGNORECASE)
_SVG_TAG = re.compile(r"<!--(?:-?>|.*?-->|.*)|<(/?)svg(?=[\s/>])[^<>]*>", re.IGNORECASE | re.DOTALL)
_BLANKS = re.compile(r"[\x00-\x20]+")

# A browser asks the reader's system for the scheme, not the frame. So the page answers these questions itself.
_PREFERS = re.compile(r"prefers-color-scheme\s*:\s*(light|dark)\b", re.IGNORECASE)
_SCHEME_OF_MAIL = re.compile(r"(?<![\w-])color-scheme\s*:([^;{}]*)", re.IGNORECASE)

_HEAD = '<meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta name="color-scheme" content="{}">\n'
_CUT = "<p><b>This mail goes on; its source has all of it.</b></p>"


class Blocked(msgspec.Struct):
    """The number of things that the page of a mail's HTML leaves out.

    `images`: remote ones; those of a style sheet count where they are written plainly.
    `styles`: remote style sheets and fonts. `frames`: frames and plugins. `media`: video and audio.
    """

    images: int = 0
    styles: int = 0
    scripts: int = 0
    forms: int = 0
    frames: int = 0
    media: int = 0


class Rewriter:
    """Makes a page that shows a mail's HTML, slice by slice: `work` until it returns True, then `page`.

    `images`: the mail's own, by Content-ID, Content-Location and file name; the page has them as data URLs. `remote`:
    keep the sources of the other images; REMOTE_POLICY then lets a browser load them. `scheme`: of COLOR_SCHEMES; the
    mail's rules for it apply, whatever the reader's system prefers. `hits`: folded texts that the page marks.
    `blocked`: counts as it goes.
    """

    def __init__(
        self,
        text: str,
        images: Mapping[str, Image],
        remote: bool = False,
        scheme: str = COLOR_SCHEMES[0],
        hits: Sequence[str] = (),
    ) -> None:
        self._text = text.replace("\x00", "")
        self._images = Images(images)
        self._remote = remote
        self._scheme = scheme
        self._marker = Marker(hits)
        self.blocked = Blocked()
        self._doctype = ""
        self._began = False
        self._has_svg_end = True
        self._out: list[str] = []
        self._slices: list[bytes] = []
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
        """Return the page. Without a DOCTYPE of the mail a browser shows it in quirks mode, as it would the mail."""
        return b"".join([self._doctype.encode(), _HEAD.format(self._scheme).encode(), *self._slices])

    def _slice(self, stop: int) -> bool:
        text = self._text
        far = self._pos + MAX_VALUE
        while self._markups < stop and self._pos < far:
            at = text.find("<", self._pos)
            if at < 0 or self._markups >= MAX_MARKUP or self._size >= MAX_PAGE:
                self._out.append(self._marker.mark(text[self._pos :]) if at < 0 else _CUT)
                return True
            self._out.append(self._marker.mark(text[self._pos : at]))
            self._began = self._began or bool(text[self._pos : at].strip())
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
                end = text.find(">", at) + 1
                if not self._began and 0 < end - at < MAX_DOCTYPE and text[at : at + 9].lower() == "<!doctype":
                    self._doctype = text[at:end]
                return end or len(text)
            self._out.append("&lt;")
            return at + 1
        tag = name[0].lower()
        if tag == "svg" and not closing and (after := self._svg(at)):
            return after
        attributes, end = self._attributes(name.end())
        if closing:
            if tag in TAGS:
                self._out.append(f"</{tag}>")
            return end
        self._count(tag, attributes)
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
            found.setdefault(match[1].lower(), unescape(value if is_data(value) else value[:MAX_VALUE]))
            pos = match.end()
        rest = _REST.match(self._text, pos)
        return found, rest.end() if rest else pos

    def _raw(self, tag: str, attributes: dict[str, str], pos: int) -> int:
        """Rewrite a tag whose content is not markup, up to its end tag or the end of the mail."""
        end = raw_end(self._text, tag, pos)
        stop = end.start() if end else len(self._text)
        if tag == "style":
            self._write(tag, attributes)
            self._out.append(self._css(self._text[pos : min(stop, pos + MAX_VALUE)]).replace("<", r"\3c "))
            self._out.append("</style>")
        return self._attributes(end.end())[1] if end else stop

    def _svg(self, at: int) -> int:
        """Write the inline SVG at `at` as an image. Return the position after it, 0 for one without a near end."""
        depth = 0
        for found in _SVG_TAG.finditer(self._text, at, at + MAX_SVG) if self._has_svg_end else ():
            self._markups += 1
            if found[1] is None:
                continue  # a comment may have the end tag
            depth += -1 if found[1] else not found[0].endswith("/>")
            if depth <= 0:
                attributes, _ = self._attributes(at + len("<svg"))
                sized = {
                    name: attributes[name] for name in ("width", "height", "class", "id", "style") if name in attributes
                }
                self._put("img", sized | {"alt": "", "src": svg_url(self._text[at : found.end()])})
                return found.end()
        self._has_svg_end = at + MAX_SVG < len(self._text)
        return 0

    def _count(self, tag: str, attributes: dict[str, str]) -> None:
        if kind := _COUNTED.get(tag):
            setattr(self.blocked, kind, getattr(self.blocked, kind) + 1)
        elif tag == "link" and "stylesheet" in attributes.get("rel", "").lower().split():
            self.blocked.styles += 1

    def _write(self, tag: str, attributes: dict[str, str]) -> None:
        kept = {name: value for name, value in attributes.items() if name in ATTRIBUTES}
        if "style" in kept:
            kept["style"] = self._css(kept["style"])
        if "media" in kept:
            kept["media"] = self._in_scheme(kept["media"])
        if tag in ("a", "area"):
            kept |= _link(attributes.get("href", ""), kept)
        if tag in ("a", "map") and "name" in attributes:
            kept["name"] = attributes["name"]
        if tag == "img":
            image = self._image(attributes.get("src", ""))
            kept["src"] = box_url(attributes) if image is None else image
        if "background" in attributes and (image := self._image(attributes["background"])):
            kept["background"] = image
        self._put(tag, kept)

    def _put(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._began = True
        written = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
        self._out.append(f"<{tag}{written}>")

    def _image(self, source: str) -> str | None:
        """Return the URL of an image, `""` for an image that the mail lacks, None for a remote one that is left out."""
        source = source.strip()
        self._markups += 1
        url = self._images.url(source)
        if url is None and self._remote:
            return source
        self.blocked.images += url is None
        return url

    def _css(self, text: str) -> str:
        """Return style sheet text with the mail's own images in it. The policy alone keeps others from loading."""
        self.blocked.styles += len(_IMPORT.findall(text))
        return _CSS_URL.sub(self._css_url, self._in_scheme(text))

    def _in_scheme(self, text: str) -> str:
        """Return style sheet text that applies its rules for the page's scheme, and no others."""

        def asked(found: re.Match[str]) -> str:
            return "min-width: 0" if found[1].lower() == self._scheme else "max-width: 0"  # always, never

        def declared(found: re.Match[str]) -> str:
            words = found[1].lower().split()
            return f"color-scheme: {self._scheme}" if self._scheme in words and "only" not in words else found[0]

        return _SCHEME_OF_MAIL.sub(declared, _PREFERS.sub(asked, text))

    def _css_url(self, found: re.Match[str]) -> str:
        source = found[1] or found[2] or found[3] or ""
        if _FONT.search(source):
            self.blocked.styles += 1
            return found[0]
        url = self._image(source)
        return f'url("{url}")' if url and url != source else found[0]


def _link(target: str, kept: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of a link. It opens a new page, which learns nothing about this one.

    A link to a place in the mail stays in its frame. A relative link is dropped: it would lead into the inbox.
    """
    target = _BLANKS.sub(" ", target).strip()
    if target.startswith("#"):
        return {"href": target}
    scheme = _SCHEME.match(target)
    if scheme is None and not target.startswith("//"):
        return {}
    name = scheme[1].lower() if scheme else "https"
    if name in _DEAD:
        return {}
    shown = {} if name in _PLAIN or "title" in kept else {"title": target}
    return {"href": target, "target": "_blank", "rel": "noopener noreferrer"} | shown
