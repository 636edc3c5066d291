"""A mail as the rules read it: parsed, and its raw headers and parts beside. Pure."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
from functools import cached_property

from ..headers import read_block
from ..html_text import text_of
from ..message import Message, parse
from ..walk import Leaf, Walk

TEXTS = ("text/plain", "text/html")


class Source:
    """A mail. `raw`: its bytes; `fields`: each raw header, a lower-case name and a value; `leaves`: its parts.

    `addresses`: by the name of their header.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.message: Message = parse(raw)
        start = len(BOM_UTF8) if raw.startswith(BOM_UTF8) else 0
        if raw.startswith(b"From ", start):
            start = raw.find(b"\n") + 1
        block = read_block(raw, start, len(raw), {})
        self.fields = [(name.decode().lower(), value) for name, value in block.fields]
        self.leaves: Sequence[Leaf] = list(Walk(raw, {}, b"").leaves(block, start))
        self.addresses = {
            "From": self.message.from_,
            "Sender": self.message.sender,
            "Reply-To": self.message.reply_to,
            "To": self.message.to,
            "Cc": self.message.cc,
            "Bcc": self.message.bcc,
        }
        self._decoded = {name.lower(): values for name, values in self.message.headers.items()}

    def values(self, name: str) -> list[str]:
        """Return the decoded values of a header, given in lower case."""
        return self._decoded.get(name, [])

    def value(self, name: str) -> str:
        """Return the first decoded value of a header, "" for none."""
        return self.values(name)[0] if name in self._decoded else ""

    @cached_property
    def html_text(self) -> str:
        """The readable text of the HTML, of its first mebibyte."""
        return text_of(self.message.html_body)

    @property
    def has_list_header(self) -> bool:
        """Whether a header says that the mail is for many: of a list, or to unsubscribe from."""
        return any(name.startswith("list-") for name in self._decoded)


def site(host: str) -> str:
    """Return the domain that an organisation registers, by its labels: a list of all suffixes would be needed.

    The last two labels, or three where the second is a common one below a country: `example.co.uk`.
    """
    labels = host.lower().rstrip(".").split(".")
    many = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in ("ac", "co", "com", "edu", "gov", "net", "org")
    return ".".join(labels[-3 if many else -2 :])
