"""Mails with a code, and mails that have none, in files that a person can read.

Each mail begins with a line `=== LANGUAGE CODE`; `-` for no code. Its first line is the subject. A body that begins
with `<` is HTML; after a line `--- html` follows the HTML of a mail that has both.
"""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import NamedTuple

MAILS = Path(__file__).parents[2] / "conformance" / "codes"


class CodeMail(NamedTuple):
    """A mail. `code`: None for none."""

    name: str
    language: str
    code: str | None
    content: bytes


def code_mails(name: str) -> list[CodeMail]:
    """Return the mails of a file."""
    found = []
    for number, entry in enumerate((MAILS / name).read_text("utf-8").split("\n=== ")):
        head, _, rest = entry.removeprefix("=== ").partition("\n")
        language, _, code = head.partition(" ")
        subject, _, body = rest.partition("\n")
        mail = EmailMessage(policy=SMTP)
        mail["From"], mail["To"] = "Service <no-reply@service.example>", "ann@example.com"
        mail["Subject"] = subject.removeprefix("Subject: ")
        text, _, html = body.partition("--- html\n")
        if text.startswith("<"):
            mail.set_content(text, subtype="html")
        else:
            mail.set_content(text)
        if html:
            mail.add_alternative(html, subtype="html")
        found.append(CodeMail(f"{number} {language} {code}", language, None if code == "-" else code, mail.as_bytes()))
    return found
