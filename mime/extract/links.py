"""The links of a mail, from its HTML, its text and its List-Unsubscribe header (RFC 2369 section 3.2). Pure.

A link has a kind: `link`; `unsubscribe`, which ends a subscription; `pixel`, an image that shows that the mail was
opened. The links of one address count once: HTML first, for its words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from ..html_text import attributes_of, unescape
from ..matching import FilterError, Wanted
from ..message import Message
from .reading import MAX_LINE, MAX_LINES, tags
from .words import UNSUBSCRIBE

MAX_LINKS: Final = 1000
"""Links of a mail."""
MAX_HREF: Final = 8000
"""Characters of an address. A longer one is left out."""
MAX_TEXT: Final = 300
"""Characters of the words of a link."""

_URL: Final = re.compile(r"(?:https?://|(?<![\w.+-])mailto:|(?<![\w./@-])www\.)[^\s<>\"'`\\^{}|]+", re.IGNORECASE)
_PUNCTUATION: Final = ".,;:!?)]}*_"
_BARE: Final = re.compile(r"(?:https?:/*|mailto:?|www\.?)", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?:https?|mailto|tel|sms|ftp|[a-z][a-z0-9+.-]*):", re.IGNORECASE)
_DEAD: Final = re.compile(r"(?:javascript|data|vbscript|about|blob|file|cid):", re.IGNORECASE)
_SMALL: Final = re.compile(r"\s*+0*+[012](?:px)?\s*+", re.IGNORECASE)
_HIDDEN: Final = re.compile(
    r"display\s*+:\s*+none|visibility\s*+:\s*+hidden|opacity\s*+:\s*+0(?![.\d])|(?<![\w-])(?:width|height)\s*+:\s*+[01]px",
    re.IGNORECASE,
)
_OPENED: Final = re.compile(
    r"/(?:wf/)?(?:open|track(?:ing)?|pixel|beacon|o)(?:[./?]|$)|[?&](?:open|pixel)=", re.IGNORECASE
)
_ANGLE: Final = re.compile(r"<\s*+([^<>\s]++)\s*+>")

Kind = Literal["link", "unsubscribe", "pixel"]


class Link(msgspec.Struct, frozen=True):
    """A link. `text`: its words, in a plain text those before it. `rel`: as in the HTML. `source`: where it stands."""

    href: str
    text: str = ""
    rel: str = ""
    kind: Kind = "link"
    source: Literal["html", "text", "header"] = "html"

    @property
    def host(self) -> str:
        """The host name in lower case, empty for an address without one."""
        try:
            return urlsplit(self.href).hostname or ""
        except ValueError:  # brackets that hold no address
            return ""

    def __str__(self) -> str:
        return self.href


class LinkError(LookupError):
    """No link fits, or several do. The text lists them. `links`: those that fit, or else all."""

    def __init__(self, sentence: str, links: list[Link]) -> None:
        lines = [
            f"  {link.href[:MAX_TEXT]} | {link.text[:80]}{'' if link.kind == 'link' else f' ({link.kind})'}"
            for link in links
        ]
        super().__init__("\n".join([sentence, *lines[:50]]))
        self.links = links


def links_of(message: Message) -> list[Link]:
    """Return the links of a mail in their order, at most MAX_LINKS."""
    found: dict[str, Link] = {}
    for link in _all(message):
        before = found.get(link.href)
        if before is None:
            found[link.href] = link
        elif (not before.text and link.text) or (before.kind == "link" and link.kind == "unsubscribe"):
            found[link.href] = msgspec.structs.replace(link, text=link.text or before.text, source=before.source)
        if len(found) == MAX_LINKS:
            break
    return list(found.values())


def link_of(message: Message, text: str | None = None, host: str | None = None, pattern: str | None = None) -> Link:
    """Return the one link that fits. Raises LinkError, and FilterError for a wrong condition.

    `text`, `host`: in the forms of a condition: a part, `=` whole, `~` expression; a host is compared whole. `pattern`:
    an expression of RE2 that finds something in the address. A link without a host, such as mailto, and one that
    unsubscribes fit where `text` or `pattern` asks for them. A pixel never fits.
    """
    tests: dict[str, tuple[Wanted, Callable[[Link], str]]] = {}
    if text is not None:
        tests["text"] = Wanted(text, "text"), lambda link: link.text
    if host is not None:
        tests["host"] = Wanted(host, "host", whole=True), lambda link: link.host
    if pattern is not None:
        tests["pattern"] = Wanted(f"~{pattern}", "pattern"), lambda link: link.href
    links = links_of(message)
    for name, (test, value) in tests.items():
        if test.is_expression and sum(len(value(link)) for link in links) > test.most:
            raise FilterError(name, "is an expression that is too large for all links of this mail")
    if text is None and pattern is None:
        candidates = [link for link in links if link.kind == "link" and link.host]
    else:
        candidates = [link for link in links if link.kind != "pixel"]
    fitting = [link for link in candidates if all(test.fits(value(link)) for test, value in tests.values())]
    if len(fitting) > 1:
        fitting = [link for link in fitting if link.kind == "link"] or fitting
    if len(fitting) == 1:
        return fitting[0]
    given = {"text": text, "host": host, "pattern": pattern}
    asked = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
    wanted_text = f"link with {asked}" if asked else "link"
    if fitting:
        raise LinkError(f"{len(fitting)} links fit where one is wanted: {wanted_text}; they are:", fitting)
    raise LinkError(f"no {wanted_text}; {'the links are:' if links else 'the mail has no links'}", links)


def _all(message: Message) -> Iterator[Link]:
    yield from _of_html(message.html_body)
    yield from _of_text(message.body)
    yield from _of_headers(message)


def _of_html(source: str) -> Iterator[Link]:
    """Yield the links of HTML. A link ends with its end tag, or where the next one begins."""
    href, rel = "", ""
    words: list[str] = []
    for name, is_end, attributes, text in tags(source):
        if name == "a":
            if href:
                yield _link(href, words, rel)
            found = {} if is_end else attributes_of(attributes)
            href, rel, words = _target(found.get("href", "")), unescape(found.get("rel", "")), []
        elif name in ("area", "img"):
            found = attributes_of(attributes)
            if href:
                words.append(found.get("alt", ""))
            yield from _of_image(name, found)
        elif name and href:
            words.append(" ")
        if href and len(words) < MAX_TEXT:
            words.append(text[:MAX_TEXT])
    if href:
        yield _link(href, words, rel)


def _of_image(name: str, attributes: dict[str, str]) -> Iterator[Link]:
    """Yield the link of an area of an image, or the image where it is a pixel."""
    target = _target(attributes.get("href" if name == "area" else "src", ""))
    if name == "area" and target:
        yield _link(target, [attributes.get("alt", "")], unescape(attributes.get("rel", "")))
    elif target.lower().startswith("http") and is_pixel(target, attributes):
        yield Link(target, "", "", "pixel")


def _link(href: str, words: Iterable[str], rel: str) -> Link:
    text = " ".join(unescape("".join(words)).split())[:MAX_TEXT]
    return Link(href, text, rel[:MAX_TEXT], "unsubscribe" if unsubscribes(text, href) else "link")


def _target(written: str) -> str:
    """Return the address of a link, empty for one that opens nothing outside the mail."""
    href = "".join(unescape(written[: 2 * MAX_HREF]).split())
    if href.startswith("//"):
        href = f"https:{href}"
    return href if _SCHEME.match(href) and not _DEAD.match(href) and len(href) <= MAX_HREF else ""


def is_pixel(source: str, attributes: Mapping[str, str]) -> bool:
    """Return whether a reader does not see an image of the web, or its address says what it is for.

    `attributes`: of its tag, by lower-case names.
    """
    sizes = [attributes[name] for name in ("width", "height") if name in attributes]
    if sizes:
        return all(map(_SMALL.fullmatch, sizes))
    return bool(_HIDDEN.search(attributes.get("style", "")) or _OPENED.search(_path(source)))


def _path(href: str) -> str:
    """Return an address without its scheme and host."""
    return "/" + href.partition("://")[2].partition("/")[2]


def _of_text(body: str) -> Iterator[Link]:
    before = ""
    for line in body.splitlines()[:MAX_LINES]:
        shown = line[: MAX_HREF + MAX_LINE]
        done = 0
        for found in _URL.finditer(shown):
            href = found[0].rstrip(_PUNCTUATION)
            if href.count("(") > href.count(")") and found[0][len(href) :].startswith(")"):
                href += ")"
            if _BARE.fullmatch(href) or len(href) > MAX_HREF:
                continue
            words = _words_before(shown[done : found.start()]) or (_words_before(before) if not done else "")
            done = found.end()
            target = f"https://{href}" if href.lower().startswith("www.") else href
            yield Link(target, words, "", "unsubscribe" if unsubscribes(words, href) else "link", "text")
        if done:
            before = ""
        elif shown.strip():
            before = shown


def _words_before(text: str) -> str:
    return " ".join(text.split()).rstrip(" :-–—([<>*")[-MAX_TEXT:]


def _of_headers(message: Message) -> Iterator[Link]:
    for name, values in message.headers.items():
        if name.lower() == "list-unsubscribe":
            for value in values:
                for found in _ANGLE.finditer(value[:MAX_HREF]):
                    if target := _target(found[1]):
                        yield Link(target, "", "", "unsubscribe", "header")


def unsubscribes(text: str, href: str) -> bool:
    """Return whether a link ends a subscription, by its words or its address."""
    return UNSUBSCRIBE.search(text) is not None or UNSUBSCRIBE.search(_path(href)) is not None
