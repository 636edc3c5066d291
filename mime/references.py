"""The names by which a mail's HTML refers to the mail's own parts (RFC 2392, RFC 2557). Pure.

One rule for `related` of an attachment and for the page of the inbox: `related` says which parts the page may show, and
`find` says to both which part a source names. Comments show nothing, and neither does the content of scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Protocol, TypeVar
from urllib.parse import unquote

from .html_text import LONGEST_TAG, matches, raw_end, unescape

CID: Final = "cid:"
"""What a URL begins with, in any case, that names a Content-ID."""

_LOOKBACK: Final = 40  # characters before `=` that hold the name of an attribute
_LONGEST: Final = 4000  # characters of a source: no name is longer
_TAG: Final = 1000  # characters before an attribute that hold the beginning of its tag

# What begins a comment, or an element whose content the page of the inbox does not show.
_HIDDEN: Final = re.compile(
    r"<(?=[!a-z])(?:!(?=--)|(script|title|textarea|iframe|noembed|noframes|xmp|object|applet|select)(?=[\s/>]))",
    re.IGNORECASE,
)
# Searches that begin with one literal character are fast.
_CID_URL: Final = re.compile(r""":(?<=[cC][iI][dD]:)([^\s"'<>()]{1,4000}+)""")
_CSS_URL: Final = re.compile(r"\((?<=[uU][rR][lL]\()([^()]{1,4000}+)\)")
_VALUE: Final = re.compile(r"""=(?<=[cCdD\s]=)\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)""")
_BEFORE_NAME: Final = tuple(" \t\r\n\f/\"'")
_AROUND: Final = " \t\r\n\f\"'"
_NO_PICTURE: Final = re.compile(r"<(?:frame|embed|video|audio|source|track|input|image|bgsound|v:\w+)\b", re.IGNORECASE)


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


def _shown(text: str) -> str:
    """Return HTML without its comments, and without the elements whose content shows nothing."""
    pieces: list[str] = []
    pos = 0
    while hidden := next(matches(_HIDDEN, text, LONGEST_TAG, pos), None):
        pieces.append(text[pos : hidden.start()])
        if hidden[1]:
            end = raw_end(text, hidden[1], hidden.end())
            pos = end.end() if end else len(text)
        else:
            pos = text.find("-->", hidden.end()) + 3  # `<!-->` is a whole comment
            pos = pos if pos > 2 else len(text)
    return "".join([*pieces, text[pos:]]) if pieces else text


def sources(text: str) -> set[str]:
    """Return the sources of the pictures of HTML, and every `cid:` URL in it, without references to characters."""
    text = _shown(text)
    found = {CID + each[1] for each in matches(_CID_URL, text, _LONGEST)}
    found.update(each[1].strip(_AROUND) for each in matches(_CSS_URL, text, _LONGEST))
    for value in matches(_VALUE, text, _LONGEST):
        if value.end() - value.start() <= _LONGEST and _is_picture(text, value.start()):
            written = value[1]
            found.add((written[1:-1] if written[0] in "\"'" else written).strip())
    return found | {unescape(each).strip(_AROUND) for each in found if "&" in each}


def _is_picture(text: str, at: int) -> bool:
    """Return whether the attribute whose `=` is at `at` names a picture."""
    name = text[max(0, at - _LOOKBACK) : at].rstrip().lower()
    before = name.removesuffix("src").removesuffix("background")
    if before == name or (before and not before.endswith(_BEFORE_NAME)):
        return False
    tag = text.rfind("<", max(0, at - _TAG), at)
    return tag < 0 or not _NO_PICTURE.match(text, tag)
