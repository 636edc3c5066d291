"""The conditions of a rule: each a text, and the test that it becomes.

`*` stands for any text, and a text after `~` is a regular expression of RE2 (mime/matching.py). The client chooses the
value, so a rule looks at LOOKED characters of it, and at VALUES values of a header. All rules read the headers once.
The expressions of all rules have MAX_INSTRUCTIONS together: they run in the event loop, where time counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import islice
from typing import Final

from ...mime import headers, words
from ...mime.mailboxes import MailboxBy, mailbox_name
from ...mime.matching import WHOLE, FilterError, Value, Wanted
from ..protocol.failures import Facts, Stage, Test

LOOKED: Final = 1000
"""Characters of a value that a rule looks at."""
VALUES: Final = 20
"""Values of a header that a rule looks at."""
MAX_INSTRUCTIONS: Final = 2000
"""Instructions of all expressions of a server: some dozens of expressions. At worst they take 0.2 s for a message."""
HEAD: Final = 256 * 1024
"""Bytes of a message in which a rule looks for headers."""

_SIZE: Final = re.compile(r"\s*(>=|<=|>|<|=|)\s*([0-9]{1,15})\s*")
_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    ">": int.__gt__,
    ">=": int.__ge__,
    "<": int.__lt__,
    "<=": int.__le__,
    "=": int.__eq__,
    "": int.__eq__,
}
_NAME: Final = re.compile(r"[!-9;-~]{1,100}")  # RFC 5322 section 2.2

KNOWN_AT: Final[dict[str, Stage]] = {
    "ip": Stage.CONNECT,
    "helo": Stage.HELLO,
    "user": Stage.AUTH,
    "from": Stage.MAIL,
    "size": Stage.MAIL,
    "to": Stage.RCPT,
    "subject": Stage.MESSAGE,
    "header": Stage.MESSAGE,
    "mailbox": Stage.CONNECT,
}
"""The first stage at which each condition is known; MAILBOX_KNOWN_AT says more about `mailbox`."""
MAILBOX_KNOWN_AT: Final[dict[str, Stage]] = {
    "none": Stage.CONNECT,
    "username": Stage.AUTH,
    "recipient": Stage.RCPT,
    "domain": Stage.RCPT,
    "plus": Stage.RCPT,
    "header": Stage.MESSAGE,
}
"""The same for `mailbox`, by the form of `inbox.mailbox_by`."""


def instructions(name: str, text: str) -> int:
    """Return the instructions of a condition's expression, 0 without one. Raises FilterError."""
    value = text.partition(":")[2].strip() if name == "header" else text
    return Wanted(value, name).instructions


def _wanted(text: str, name: str) -> Callable[[str | Value], bool]:
    wanted = Wanted(text, name, whole=True)
    return lambda value: wanted.fits(value[:LOOKED] if isinstance(value, str) else value)


def _ip(text: str) -> Test:
    if "/" in text and not text.startswith("~"):
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            raise FilterError("ip", f"is {text!r}; write a network as in 192.0.2.0/24") from None
        return lambda facts: _is_in(facts.ip, network)
    fits = _wanted(text, "ip")
    return lambda facts: fits(facts.ip)


def _is_in(ip: str, network: IPv4Network | IPv6Network) -> bool:
    try:
        return ip_address(ip.partition("%")[0]) in network
    except ValueError:  # a unix socket
        return False


def _helo(text: str) -> Test:
    fits = _wanted(text, "helo")
    return lambda facts: fits(facts.helo)


def _user(text: str) -> Test:
    fits = _wanted(text, "user")
    return lambda facts: fits(facts.user)


def _from(text: str) -> Test:
    fits = _wanted(text, "from")
    return lambda facts: fits(facts.sender)


def _to(text: str) -> Test:
    fits = _wanted(text, "to")
    return lambda facts: any(map(fits, facts.to))


def _subject(text: str) -> Test:
    fits = _wanted(text, "subject")
    return lambda facts: any(map(fits, _values(facts, "subject")))


def _header(text: str) -> Test:
    name, _, value = text.partition(":")
    if _NAME.fullmatch(name) is None:
        raise FilterError("header", f"is {text!r}; it is `Name: value`, such as `X-Tag: welcome`")
    fits = _wanted(value.strip() or "*", "header")
    return lambda facts: any(map(fits, _values(facts, name.lower())))


def _size(text: str) -> Test:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise FilterError("size", f"is {text!r}; write it as in >1000000, <100 or 5000")
    compare, bound = _COMPARE[found[1]], int(found[2])
    return lambda facts: facts.size is not None and compare(facts.size, bound)


def mailbox_test(text: str, by: MailboxBy) -> Test:
    """Return the test of a mailbox. A message for several mailboxes fits where each of them does.

    A name without `*` is that of one mailbox: a Wanted is the same text for `straße` and `strasse`, two mailboxes.
    Raises FilterError.
    """
    fits = _wanted(text, "mailbox")
    if Wanted(text, "mailbox", whole=True).exact is not None:
        fits = mailbox_name(text.removeprefix(WHOLE)).__eq__

    def in_mailbox(facts: Facts) -> bool:
        names = by.names(facts.user, facts.to, lambda name: _first(facts, name))
        return all(map(fits, names))

    return in_mailbox


def _mailbox(text: str) -> Test:
    return mailbox_test(text, MailboxBy())


CONDITIONS: Final[dict[str, Callable[[str], Test]]] = {
    "ip": _ip,
    "helo": _helo,
    "user": _user,
    "from": _from,
    "to": _to,
    "size": _size,
    "subject": _subject,
    "header": _header,
    "mailbox": _mailbox,
}
"""For each condition the function that makes its test, the cheap ones first. Each raises FilterError."""


def _first(facts: Facts, name: str) -> str:
    return next(_decoded(facts, name), "")


def _values(facts: Facts, name: str) -> Sequence[Value]:
    """Return the values of a header, as far as rules look at them. `name`: in lower case."""
    key = f"header {name}"
    if key not in facts.known:
        facts.known[key] = [Value(text[:LOOKED]) for text in islice(_decoded(facts, name), VALUES)]
    values: Sequence[Value] = facts.known[key]
    return values


def _decoded(facts: Facts, name: str) -> Iterator[str]:
    if "fields" not in facts.known:
        content = facts.content
        facts.known["fields"] = headers.read_block(content, 0, min(len(content), HEAD), {}).fields
    wanted = name.encode("utf-8", "surrogateescape")
    for found, value in facts.known["fields"]:
        if found.lower() == wanted:
            yield words.decode(value[: 4 * LOOKED], {})
