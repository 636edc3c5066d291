"""The rules of the header block. Pure."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from .findings import Findings
from .source import Source

ONCE: Final = (
    *("date", "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "subject"),
    *("mime-version", "content-type", "content-transfer-encoding", "content-disposition", "content-id"),
    *("list-unsubscribe", "list-unsubscribe-post"),
)
"""Headers that a mail may have once (RFC 5322 section 3.6, RFC 2045, RFC 2369 section 2, RFC 8058 section 3.1)."""

_IDENTIFIER = re.compile(r"<[^<>\s]+@[^<>\s]+>")
_COMMENT = re.compile(r"\([^()]*+\)")
_ADDRESS = re.compile(r'(?:[^\s"@]+|".*")@[^\s@]+', re.DOTALL)


def check_headers(mail: Source, found: Findings) -> None:
    """Add what is wrong with the headers."""
    _check_presence(mail, found)
    _check_values(mail, found)
    counts = Counter(name for name, _ in mail.fields)
    for name in ONCE:
        if counts[name] > 1:
            found.add("header-double", f"header {name.title()}, {counts[name]} times")
    for name, value in mail.fields:
        if not value.isascii():
            found.add("header-utf8" if _is_utf8(value) else "header-8bit", f"header {name.title()}")


def _check_presence(mail: Source, found: Findings) -> None:
    names = {name for name, _ in mail.fields}
    for name in ("date", "from", "message-id"):
        if name not in names:
            found.add(f"{name}-missing")
    if names.isdisjoint(("to", "cc")):
        found.add("to-missing")
    if not mail.message.subject.strip():
        found.add("subject-missing")
    if "mime-version" not in names and any(name.startswith("content-") for name in names):
        found.add("mime-version-missing")


def _check_values(mail: Source, found: Findings) -> None:
    if mail.values("date") and mail.message.date is None:
        found.add("date-invalid", f"header Date: {mail.value('date')}")
    if mail.values("message-id") and not _IDENTIFIER.fullmatch(_COMMENT.sub("", mail.value("message-id")).strip()):
        found.add("message-id-invalid", f"header Message-ID: {mail.value('message-id')}")
    authors = mail.addresses["From"]
    if len(authors) > 1 and not mail.addresses["Sender"]:
        found.add("sender-missing", f"header From, {len(authors)} addresses")
    for name, addresses in mail.addresses.items():
        if name == "From" and not addresses and mail.values("from"):
            found.add("address-invalid", f"header From: {mail.value('from')}")
        for each in addresses:
            if not _ADDRESS.fullmatch(each.address):
                found.add("address-invalid", f"header {name}: {each.address or each.name}")


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
