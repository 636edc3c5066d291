"""The names by which a mail's HTML refers to the mail's own parts (RFC 2392, RFC 2557). Pure."""

from __future__ import annotations

import html
import re
from typing import Final
from urllib.parse import unquote

_CID: Final = re.compile(r"[cC][iI][dD]:([^\s\"'<>()]++)")
_SOURCE: Final = re.compile(r"""(?:src|background)\s*+=\s*+["']?+([^\s"'<>]++)""", re.IGNORECASE)


def content_ids(source: str) -> frozenset[str]:
    """Return the names in the `cid:` URLs of HTML, as written and without their percent-encoding."""
    return _names(_CID.findall(source))


def locations(source: str) -> frozenset[str]:
    """Return the sources of the images of HTML, likewise."""
    return _names(_SOURCE.findall(source))


def _names(found: list[str]) -> frozenset[str]:
    names = {html.unescape(name) if "&" in name else name for name in found}
    return frozenset(names | {unquote(name) for name in names if "%" in name})
