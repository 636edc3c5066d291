"""The images of a mail's HTML: those that the mail itself has, as data URLs, and a box for each that is elsewhere."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import quote

from ...mime import references
from ...mime.message import Message
from ...mime.pictures import sniffed

MAX_EMBEDDED: Final = 48 * 1024 * 1024
"""Characters of the mail's own images in one page; an image beyond that is left out."""
MAX_ALT: Final = 200
"""Characters of an image's text that its box shows."""

_DATA = re.compile(r"data:image/[a-z.+-]+[;,]", re.IGNORECASE)
_ESCAPED = "&<>\"'"
_REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_TYPE = re.compile(r"image/[a-z0-9][a-z0-9.+-]*")
_XMLNS = re.compile(r"<svg[^>]*\sxmlns\s*+=", re.IGNORECASE)
_SIZE_IN_STYLE = re.compile(r"(?:^|[;\s])(?:width|height)\s*+:", re.IGNORECASE)

_BOX = (
    "<svg xmlns='http://www.w3.org/2000/svg'><rect width='100%' height='100%' fill='#f1f3f5' stroke='#adb5bd' "
    "stroke-dasharray='4'/><text x='6' y='17' font-family='sans-serif' font-size='12' fill='#495057'>{}</text></svg>"
)


class Image(NamedTuple):
    """A part of the mail that can be an image. `content`: called if the HTML shows it."""

    content_type: str
    size: int
    content: Callable[[], bytes]


def shown_images(message: Message) -> dict[str, Image]:
    """Return the parts that the HTML of a mail shows, by each of their names."""
    named = references.by_name(message.attachments)
    return {name: Image(each.content_type, each.size, each.content) for name, each in named.items() if each.related}


class Images:
    """The mail's own images. `parts`: by Content-ID, Content-Location and file name."""

    def __init__(self, parts: Mapping[str, Image]) -> None:
        self._parts = parts
        self._embedded: dict[Image, str] = {}
        self._left = MAX_EMBEDDED

    def url(self, source: str) -> str | None:
        """Return a data URL for an image of the mail; None for a remote one, `""` for one that cannot be shown.

        `rrpy.mime.references` says which image a source names.
        """
        image = references.find(self._parts, source)
        if image is not None:
            return self._embed(image)
        if _DATA.match(source):
            return source
        return None if _REMOTE.match(source) else ""

    def _embed(self, image: Image) -> str:
        """Return an image as a data URL; empty for bytes that are not an image, and beyond MAX_EMBEDDED."""
        if image not in self._embedded:
            self._embedded[image] = self._read(image)
        url = self._embedded[image]
        if len(url) > self._left:
            return ""
        self._left -= len(url)
        return url

    def _read(self, image: Image) -> str:
        if (image.size + 2) // 3 * 4 > self._left:
            return ""
        content = image.content()
        kind = sniffed(content) or (image.content_type if _TYPE.fullmatch(image.content_type) else "")
        return f"data:{kind};base64,{base64.b64encode(content).decode()}" if kind else ""


def is_data(source: str) -> bool:
    """Return whether a source is the data URL of an image, without a character that HTML escapes."""
    return _DATA.match(source) is not None and not any(each in source for each in _ESCAPED)


def svg_url(markup: str) -> str:
    """Return an inline `<svg>` element as a data URL. As an image it runs no script and loads nothing."""
    if not _XMLNS.match(markup):
        markup = f'{markup[:4]} xmlns="http://www.w3.org/2000/svg"{markup[4:]}'
    return f"data:image/svg+xml;base64,{base64.b64encode(markup.encode('utf-8', 'replace')).decode()}"


def box_url(attributes: Mapping[str, str]) -> str:
    """Return the picture of an empty box with the image's `alt`; empty for an image that does not declare its size."""
    if not {"width", "height"} & set(attributes) and not _SIZE_IN_STYLE.search(attributes.get("style", "")):
        return ""
    return "data:image/svg+xml," + quote(_BOX.format(html.escape(attributes.get("alt", "")[:MAX_ALT])))
