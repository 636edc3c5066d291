"""MAIL and RCPT arguments: the path and the parameters after it. Pure; a refusal is `Refused`, with its reply.

Goal: the address as the client wrote it, with nothing added and nothing lost. Like Postfix, the parser accepts blanks
and tabs after the colon, a path without angle brackets, and an address without a domain (`<postmaster>`, cron's
`<root>`). It ignores a source route (RFC 5321 appendix C). It refuses control bytes, invalid UTF-8, and text after the
path.

Nearly every address is plain and costs one regular expression (`PLAIN_MAIL`, `PLAIN_RCPT`); `parse_path` parses the
others.
"""

from __future__ import annotations

import re
from typing import Final

from . import replies
from .replies import Reply

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN = rb"<(" + _ATOM + rb"(?:\." + _ATOM + rb")*@[A-Za-z0-9][A-Za-z0-9.-]*[A-Za-z0-9])>\Z"

PLAIN_MAIL: Final = re.compile(rb"[Ff][Rr][Oo][Mm]: ?" + _PLAIN)
"""A MAIL argument with a plain address and no parameters; group 1 is the address."""
PLAIN_RCPT: Final = re.compile(rb"[Tt][Oo]: ?" + _PLAIN)
"""An RCPT argument with a plain address and no parameters; group 1 is the address."""

MAX_KEYWORD: Final = 64
"""Characters of a parameter that a reply names."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")  # all but the tab; some only in Unicode
_BLANKS = re.compile(r"[ \t]+")
_ROUTE = re.compile(r"(?:@[^\s<>:,@]+,)*@[^\s<>:,@]+:")
_MAILBOX = re.compile(
    r"""
    (?: [^\x00-\x20\x7f()<>\[\]:;@\\,"]+            # a dot-string; dots anywhere, as other servers accept
      | "(?: [^\x00-\x1f\x7f"\\] | \\[\x20-\x7e] )*"  # or a quoted string
    )
    (?: @ (?: [^\x00-\x20\x7f()<>\[\]:;@\\,"]+      # a domain
            | \[ [A-Za-z0-9.:-]+ \]                 # or an address literal
          )
    )?
    """,
    re.VERBOSE,
)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=]+))?")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})*")
_HEX = re.compile(r"\+([0-9A-Fa-f]{2})")


class Refused(Exception):
    """The command is refused with `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


def parse_path(argument: bytes, keyword: str, bad: Reply, syntax: Reply) -> tuple[str, str]:
    """Split `FROM:<path> parameters` into the address ('' for the null path) and the parameters' text.

    `keyword`: 'FROM:' or 'TO:'. Raises Refused: `syntax` for a missing keyword or path, `bad` for a malformed address
    (RFC 5321 section 4.1.2), 553 for an address that is not UTF-8 (RFC 6531).
    """
    try:
        text = argument.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(replies.BAD_UTF8) from None
    if text[: len(keyword)].upper() != keyword:
        raise Refused(syntax)
    text = text[len(keyword) :].strip(" \t")
    if not text:
        raise Refused(syntax)
    if _CONTROL.search(text):
        raise Refused(bad)
    if not text.startswith("<"):
        address, *words = _BLANKS.split(text, maxsplit=1)
        if not _MAILBOX.fullmatch(address):
            raise Refused(bad)
        return address, "".join(words)
    if text.startswith("<>"):
        address, end = "", 2
    else:
        route = _ROUTE.match(text, 1)
        mailbox = _MAILBOX.match(text, route.end() if route else 1)
        if mailbox is None or text[mailbox.end() : mailbox.end() + 1] != ">":
            raise Refused(bad)
        address, end = mailbox[0], mailbox.end() + 1
    rest = text[end:]
    if rest and rest[0] not in " \t":
        raise Refused(bad)
    return address, rest.strip(" \t")


def parse_parameters(text: str) -> dict[str, str | None]:
    """Return `KEY=value KEY` as a dictionary: keys upper case, values as the client wrote them, None for a bare key.

    Raises Refused: 501 for bad syntax or a repeated key (RFC 5321 section 4.1.1.11).
    """
    found: dict[str, str | None] = {}
    for word in filter(None, _BLANKS.split(text)):
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise Refused(replies.BAD_PARAMETER.naming(word[:MAX_KEYWORD]))
        key = match[1].upper()
        if key in found:
            raise Refused(replies.DUPLICATE_PARAMETER.naming(key[:MAX_KEYWORD]))
        found[key] = match[2]
    return found


def decode_xtext(value: str) -> str:
    """Return the decoded xtext (RFC 3461 section 4); its hex digits may be lower case, as some servers write them.

    Raises Refused with 501 for a value that is not xtext.
    """
    if not _XTEXT.fullmatch(value):
        raise Refused(replies.BAD_PARAMETER)
    return _HEX.sub(lambda match: chr(int(match[1], 16)), value)
