"""The rules of DKIM signatures: their tags alone, without keys and without DNS (RFC 6376). Pure."""

from __future__ import annotations

import re
from typing import Final

from .findings import Findings
from .source import Source, site

MAX_SIGNATURES: Final = 20
"""Signatures of a mail that are read."""
REQUIRED: Final = ("v", "a", "b", "bh", "d", "h", "s")
"""Tags that each signature has (RFC 6376 section 3.5)."""
ONE_CLICK: Final = frozenset(("list-unsubscribe", "list-unsubscribe-post"))
"""Headers that a signature covers so that a provider offers one click (RFC 8058 section 4)."""

_ALGORITHMS: Final = ("rsa-sha256", "ed25519-sha256", "rsa-sha1")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")


def check_dkim(mail: Source, found: Findings) -> None:
    """Add what is wrong with the signatures, and whether one is of the domain of From."""
    signatures = [_tags(value) for value in mail.values("dkim-signature")[:MAX_SIGNATURES]]
    if not signatures:
        found.add("dkim-missing")
        return
    for number, tags in enumerate(signatures, 1):
        _check_tags(tags, f"signature {number}", found)
    if mail.values("list-unsubscribe-post") and not any(_names(tags) >= ONE_CLICK for tags in signatures):
        found.add("one-click-unsigned")
    domains = {site(tags["d"].strip()) for tags in signatures if tags.get("d")}
    authors = [each.address.rpartition("@")[2] for each in mail.addresses["From"] if "@" in each.address]
    if domains and authors and site(authors[0]) not in domains:
        found.add("dkim-unaligned", f"From is of {authors[0]}, d is {', '.join(sorted(domains))}")


def _check_tags(tags: dict[str, str], place: str, found: Findings) -> None:
    missing = [name for name in REQUIRED if not tags.get(name)]
    if missing:
        found.add("dkim-invalid", f"{place} lacks {', '.join(missing)}")
        return
    algorithm = tags["a"].lower()
    if tags["v"] != "1":
        found.add("dkim-invalid", f"{place}: v={tags['v']}")
    elif algorithm not in _ALGORITHMS:
        found.add("dkim-invalid", f"{place}: a={algorithm}")
    elif not all(_BASE64.fullmatch(tags[name]) for name in ("b", "bh")):
        found.add("dkim-invalid", f"{place}: b or bh is not base64")
    if algorithm == "rsa-sha1":
        found.add("dkim-weak", f"{place}: a={algorithm}")
    if "from" not in _names(tags):
        found.add("dkim-from", f"{place}: h={tags['h']}")


def _names(tags: dict[str, str]) -> set[str]:
    """Return the headers that a signature covers, in lower case."""
    return {name.strip().lower() for name in tags.get("h", "").split(":")}


def _tags(value: str) -> dict[str, str]:
    """Return the tags of a signature, each once (RFC 6376 section 3.2)."""
    tags: dict[str, str] = {}
    for each in value.split(";"):
        name, equals, text = each.partition("=")
        if equals:
            tags.setdefault(name.strip(), text.strip())
    return tags
