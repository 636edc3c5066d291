"""Placeholders that a template has left in the words of a mail. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..html_text import matches
from .findings import Findings
from .source import Source

AROUND: Final = 20
"""Characters before and after a placeholder that its place shows."""
LONGEST: Final = 200
"""Characters that a placeholder has at most."""
MAX_TEXT: Final = 1024 * 1024
"""Characters of each text that are read."""

_URL = re.compile(r"(?:https?|mailto):[^\s<>\"]++", re.IGNORECASE)
FIELD: Final = re.compile(
    r"""\{\{[^{}\n]{1,80}+\}\} | \{%[^{}%\n]{1,80}+%\} | \$\{[\w.]{1,40}+\} | <%[^<>%\n]{1,80}+%>
    | \*\|[\w:.]{1,40}+\|\* | \[\[[A-Za-z_]\w{0,40}+\]\]
    | (?<![%\w])%[A-Z][A-Z0-9_]{2,40}+%(?!\w) | \[object\ Object\]""",
    re.VERBOSE,
)
"""A placeholder of a template language, or what JavaScript writes for an object."""
_GREETING = (
    r"\b(?:hello|hi|hey|dear|welcome|hallo|liebe[rs]?|guten\ tag|bonjour|cher|ch\u00e8re|hola|ciao|ol\u00e1"
    r"|cze\u015b\u0107)"
)
VALUE: Final = re.compile(
    rf"""{_GREETING},?\ (?:undefined|null|none|nan|nil|\(null\)|\{{\w{{1,40}}+\}})(?![\w-])
    | (?m:^)[ \t]*+(?:undefined|null|NaN)[ \t]*+(?m:$)
    | :\ ?(?:undefined|null|NaN)[ \t]*+(?:[.!]?[ \t]*+(?m:$)) | [\u20ac$\u00a3]\ ?(?:undefined|null|NaN)\b
    | \b(?:undefined|null)\ (?:undefined|null)\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""A word that a program writes for an absent value, where a value is due. In prose such words are right."""
TARGET: Final = re.compile(
    r"""\{\{.{1,80}?\}\} | %7B%7B | \$\{[\w.]{1,40}+\} | \*\|[\w:.]{1,40}+\|\* | <%[^<>%\n]{1,80}+%>
    | %(?![0-9A-F]{2})[A-Z][A-Z0-9_]{2,40}+% | \[object(?:\ |%20)Object\]
    | (?<=[/=])(?:undefined|null|NaN)(?=[/?&\#]|\Z)""",
    re.VERBOSE,
)
"""The same in a URL, where `%C3%A4` is a letter."""


def check_words(mail: Source, found: Findings) -> None:
    """Add the placeholders in the subject, the texts and the names of the addresses."""
    names = [*mail.addresses["From"], *mail.addresses["To"]]
    for place, text in (
        ("header Subject", mail.message.subject),
        ("the names", "\n".join(each.name for each in names)),
        ("text", _URL.sub("", mail.message.body[:MAX_TEXT].replace("\r\n", "\n"))),
        ("HTML", _URL.sub("", mail.html_text)),
    ):
        for rule, pattern in (("merge-field", FIELD), ("merge-value", VALUE)):
            for around in _found(pattern, text):
                found.add(rule, f"{place}: {around}")


def _found(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    for match in matches(pattern, text, LONGEST):
        yield text[max(0, match.start() - AROUND) : match.end() + AROUND]
