"""Which mailboxes a mail stands in: one rule for the inbox and for the rules of the SMTP server. Pure.

What we want: tests that share a host each see their own mail. A mailbox is made by its first mail, so a client chooses
its name, and names are hostile text. What we do: `mailbox_name` makes one name of all the ways to write it. It has a
bound, and no character that a terminal or a page would obey.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Self

DEFAULT: Final = "default"
"""The mailbox of a mail that names none."""
MAX_NAME: Final = 128
"""Characters of a name at most."""
FORMS: Final = ("none", "username", "recipient", "domain", "plus", "header:NAME")
"""What can name the mailboxes of a mail."""

_HEADER: Final = "header"
_READ: Final = 1000  # characters of a text that become a part of the name; sorting accents takes quadratic time
_DIGEST: Final = 16
_FIELD_NAME: Final = re.compile(r"[!-9;-~]+")  # RFC 5322 section 3.6.8


def mailbox_name(text: str) -> str:
    """Return the name of the mailbox that a text names, in lower case and at most MAX_NAME characters.

    White space and characters that cannot be printed become one blank. The end of a longer text becomes a digest, so
    two long texts stay two names. A text without a visible character names DEFAULT.
    """
    name = text.lower()
    if not (name.isascii() and name.isprintable()) or len(name) > MAX_NAME:
        name = unicodedata.normalize("NFC", name[:_READ])
        name = "".join(letter if letter.isprintable() else " " for letter in name)
    name = " ".join(name.split())
    if len(name) > MAX_NAME or len(text) > _READ:
        digest = hashlib.sha256(text.lower().encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
        name = f"{name[: MAX_NAME - _DIGEST - 1]}~{digest}"
    return name or DEFAULT


class MailboxBy(NamedTuple):
    """What names the mailboxes of a mail. `form`: one of FORMS, without the header's name; `header`: in lower case."""

    form: str = FORMS[0]
    header: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the value of `inbox.mailbox_by`. Raises ValueError; its text is the end of a sentence."""
        form, colon, name = text.partition(":")
        if form == _HEADER and _FIELD_NAME.fullmatch(name):
            return cls(form, name.lower())
        if colon or text not in FORMS:
            *most, last = FORMS
            raise ValueError(f"{text!r} is not {', '.join(most)} or {last}")
        return cls(form)

    @property
    def by_recipients(self) -> bool:
        """Whether a mail can stand in several mailboxes, at most one for each recipient."""
        return self.form in _PARTS

    def names(self, username: str, recipients: Iterable[str], header: Callable[[str], str]) -> Sequence[str]:
        """Return the mailboxes of a mail, each once, in the order of the recipients; at least one.

        `username`: of AUTH, empty without it. `recipients`: of the envelope. `header`: returns the decoded first value
        of a header by its name in lower case, empty for none; it is called for `header:NAME` alone.
        """
        if self.form == "none":
            return (DEFAULT,)
        if self.form == "username":
            return (mailbox_name(username),)
        if self.form == _HEADER:
            return (mailbox_name(header(self.header)),)
        part = _PARTS[self.form]
        return tuple(dict.fromkeys(mailbox_name(part(each)) for each in recipients)) or (DEFAULT,)


def _domain(address: str) -> str:
    return address.rpartition("@")[2] if "@" in address else ""


def _plus(address: str) -> str:
    local = address.rpartition("@")[0] or address
    return local.strip('"').partition("+")[2]


_PARTS: Final[dict[str, Callable[[str], str]]] = {
    "recipient": lambda address: address,
    "domain": _domain,
    "plus": _plus,
}
