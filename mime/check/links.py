"""The rules of links and images: where they lead, and what their text says. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import unquote

from .findings import Findings
from .markup import Markup, is_remote
from .source import Source, site
from .words import MAX_TEXT, TARGET

SHORTENERS: Final = frozenset(
    re.findall(
        r"\S+",
        """adf.ly bit.ly bl.ink buff.ly cutt.ly goo.gl is.gd lnkd.in ow.ly rb.gy rebrand.ly s.id short.io shorturl.at
        t.co t.ly tiny.cc tinyurl.com tr.im v.gd""",
    )
)
"""Public shorteners of URLs."""
PRIVATE: Final = (".localhost", ".local", ".internal", ".intranet", ".lan", ".test", ".invalid")
"""Ends of host names that no resolver of the internet knows (RFC 6761, RFC 6762)."""

_URL = re.compile(r"https?://[^\s<>\"]++", re.IGNORECASE)
_HOST = re.compile(r"(https?:)?//(?:[^/?#@\s]*+@)?(\[[^\]\s]*+\]|[^/?#:\s]*+)", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*+:", re.IGNORECASE)
_NAMED = re.compile(r"(https?://|www\.)?((?:[\w-]{1,63}\.){1,9}[a-z]{2,24})(?:[:/?#]\S*)?", re.IGNORECASE)
_KNOWN = re.compile(r"(?:com|org|net|edu|gov|io|co|dev|app|eu|de|fr|uk|nl|es|it|pl|us|ca|au|example)", re.IGNORECASE)


def check_links(mail: Source, markup: Markup, found: Findings) -> None:
    """Add what is wrong with the links of the HTML and of the text."""
    for reference in markup.references:
        rules = _rules_of(reference.target, reference.kind)
        if reference.kind == "a" and _names_another(reference.text, reference.target):
            rules.append("link-text")
        for rule in rules:
            markup.add(rule, reference.at)
    for match in _URL.finditer(mail.message.body[:MAX_TEXT]):
        target = match[0].rstrip(".,;:!?)]'")
        for rule in _rules_of(target, "a"):
            found.add(rule, f"text: {target}")


def _rules_of(target: str, kind: str) -> list[str]:
    """Return the rules that a target breaks. `kind`: of its tag."""
    if TARGET.search(target):
        return ["merge-field"]
    if target[:11].lower() == "javascript:":
        return ["html-script"]
    if not is_remote(target):
        whole = not target or target.startswith("#") or _SCHEME.match(target)
        return [] if whole else ["link-relative"]
    host = host_of(target)
    if is_private(host):
        return ["link-private"]
    rules = ["link-http"] if target[:5].lower() == "http:" and kind != "img" else []
    if host in SHORTENERS or host.removeprefix("www.") in SHORTENERS:
        rules.append("link-shortener")
    return rules


def host_of(url: str) -> str:
    """Return the host of a URL of the web in lower case, "" for another URL."""
    match = _HOST.match(url)
    return unquote(match[2]).lower().rstrip(".") if match else ""


def is_private(host: str) -> bool:
    """Return whether a host is this machine, or one of a network that readers do not share."""
    if "." not in host and ":" not in host:
        return True
    if host.endswith(PRIVATE):
        return True
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return False


def _names_another(text: str, target: str) -> bool:
    """Return whether the text of a link is a host or a URL, of another domain than its target."""
    named = _NAMED.fullmatch(text) if len(text) <= 200 else None
    if named is None or not is_remote(target):
        return False
    label = named[2].rpartition(".")[2]
    if not named[1] and not _KNOWN.fullmatch(label):  # `Node.js` is not a host
        return False
    return site(_ascii(named[2])) != site(host_of(target))


def _ascii(host: str) -> str:
    """Return a host name as URLs have it (RFC 3490)."""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host
