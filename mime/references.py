"""The names by which a mail's HTML refers to the mail's own parts (RFC 2392, RFC 2557). Pure.

One rule for `related` of an attachment and for the page of the inbox: each source of a picture that the page writes is
one of `sources`, and `find` gives its part to both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Protocol, TypeVar
from urllib.parse import unquote

from .html_text import unescape

CID: Final = "cid:"
"""What a URL begins with, in any case, that names a Content-ID."""

_LOOKBACK: Final = 40  # characters before `=` that hold the name of an attribute
_TAG: Final = 1000  # characters before an attribute that hold the beginning of its tag

# Searches that begin with one literal character are fast.
_CID_URL: Final = re.compile(r""":(?<=[cC][iI][dD]:)([^\s"'<>()]++)""")
_CSS_URL: Final = re.compile(r"\((?<=[uU][rR][lL]\()([^()]{1,4000}+)\)")
_VALUE: Final = re.compile(r"""=(?<=[cCdD\s]=)\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)""")
_PICTURE: Final = re.compile(r"""(?:^|[\s/"'])(?:src|background)\s*+\Z""", re.IGNORECASE)
_NO_PICTURE: Final = re.compile(r"<(?:script|i?frame|embed|video|audio|source|track)\b", re.IGNORECASE)


class Part(Protocol):
    """The names of a part, each "" for none. `content_id` has no angle brackets."""

    @property
    def content_id(self) -> str: ...  # noqa: D102
    @property
    def content_location(self) -> str: ...  # noqa: D102
    @property
    def filename(self) -> str: ...  # noqa: D102


P = TypeVar("P", bound=Part)
T = TypeVar("T")


def by_name(parts: Iterable[P]) -> dict[str, P]:
    """Return the parts by their names. A Content-ID precedes a Content-Location, and that a file name."""
    parts = list(parts)
    named: dict[str, P] = {}
    for part in parts:
        named.setdefault(part.content_id, part)
    for part in parts:
        named.setdefault(part.content_location, part)
    for part in parts:
        named.setdefault(part.filename, part)
    named.pop("", None)
    return named


def find(named: Mapping[str, T], source: str) -> T | None:
    """Return what `source` names: a `cid:` URL (RFC 2392), a location (RFC 2557) or a file, percent-encoded or not."""
    name = source[len(CID) :].strip("<>") if source[: len(CID)].lower() == CID else source
    found = named.get(name)
    return named.get(unquote(name)) if found is None and "%" in name else found


def sources(text: str) -> set[str]:
    """Return the sources of the pictures of HTML, and every `cid:` URL in it, without references to characters."""
    found = {CID + name for name in _CID_URL.findall(text)}
    found.update(found_url.strip(" \t\r\n\f\"'") for found_url in _CSS_URL.findall(text))
    for value in _VALUE.finditer(text):
        at = value.start()
        if _PICTURE.search(text[max(0, at - _LOOKBACK) : at]):
            tag = text.rfind("<", max(0, at - _TAG), at)
            if tag < 0 or not _NO_PICTURE.match(text, tag):
                written = value[1]
                found.add((written[1:-1] if written[0] in "\"'" else written).strip())
    return found | {unescape(each).strip(" \t\r\n\f\"'") for each in found if "&" in each}
