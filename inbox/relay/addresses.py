"""The addresses that a release may go to: their form, and the patterns of `inbox.relay.allow`. Pure.

Stricter than SMTP: an address is a dot-atom and a domain name (RFC 5321 section 4.1.2, RFC 6531 section 3.3). Quoted
local parts and address literals are refused, for a pattern could not be read beside them. So are `%` and `!` in a local
part: for Postfix and sendmail `ann%other.org@example.com` is a route, and the message goes to `ann@other.org`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ...mime.matching import ANY, fits

MAX_LOCAL: Final = 64
"""Bytes of a local part (RFC 5321 section 4.5.3.1.1)."""
MAX_DOMAIN: Final = 255
"""Bytes of a domain (RFC 5321 section 4.5.3.1.2)."""

_ATOM: Final = r"[0-9A-Za-z#$&'+/=?^_`{|}~\u0080-\U0010ffff-]+"
_LABEL: Final = r"[0-9A-Za-z\u0080-\U0010ffff](?:[0-9A-Za-z\u0080-\U0010ffff-]*[0-9A-Za-z\u0080-\U0010ffff])?"
_ADDRESS: Final = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})*)")


def is_address(text: str) -> bool:
    """Return whether a text is one plain address."""
    found = _ADDRESS.fullmatch(text)
    if found is None or not text.isprintable():
        return False
    local, domain = found.groups()
    return len(local.encode()) <= MAX_LOCAL and len(domain.encode()) <= MAX_DOMAIN


def is_pattern(text: str) -> bool:
    """Return whether a text is an address in which `*` may stand for any characters. It has one `@`."""
    return is_address(text.replace(ANY, "x"))


def is_allowed(address: str, patterns: Iterable[str]) -> bool:
    """Return whether a pattern fits the whole address. `*` crosses no `@`; the domain fits whatever its case."""
    local, domain = _parts(address)
    return any(fits(name, local) and fits(place, domain) for name, place in map(_parts, patterns))


def _parts(text: str) -> tuple[str, str]:
    """Return the local part and the domain. Only ASCII loses its case: U+212A, say, would become a `k`."""
    local, _, domain = text.partition("@")
    return local, domain.encode().lower().decode()
