"""The rules of mail to many and of automatic mail: unsubscribing, Auto-Submitted, Precedence. Pure."""

from __future__ import annotations

import re
from typing import Final

from ..extract.links import unsubscribes
from .findings import Findings
from .markup import Markup
from .source import Source

ONE_CLICK: Final = "list-unsubscribe=one-click"
"""The value of List-Unsubscribe-Post in lower case (RFC 8058 section 3.1)."""

_URL = re.compile(r"<\s*+(https|http|mailto):[^<>\s]++\s*+>", re.IGNORECASE)
_ROBOT = re.compile(r"(?:no|do[-_.]?not)[-_.]?reply", re.IGNORECASE)
_AUTOMATIC: Final = ("no", "auto-generated", "auto-replied", "auto-notified")
_PRECEDENCE: Final = ("bulk", "list", "junk", "first-class", "special-delivery", "auto_reply")


def check_bulk(mail: Source, markup: Markup, found: Findings) -> None:
    """Add what is wrong with a mail to many readers, or with one that a program has written."""
    _check_unsubscribe(mail, markup, found)
    _check_automatic(mail, found)


def _check_unsubscribe(mail: Source, markup: Markup, found: Findings) -> None:
    posts, written = mail.values("list-unsubscribe-post"), mail.value("list-unsubscribe")
    schemes = {scheme.lower() for scheme in _URL.findall(written)}
    if mail.values("list-unsubscribe"):
        if not schemes:
            found.add("unsubscribe-invalid", f"header List-Unsubscribe: {written}")
        elif not posts or "https" not in schemes:
            found.add("one-click-missing", f"header List-Unsubscribe: {written}")
    elif _is_for_many(mail, markup):
        found.add("unsubscribe-missing")
    if posts and ("https" not in schemes or "".join(posts[0].lower().split()) != ONE_CLICK):
        found.add("one-click-invalid", f"header List-Unsubscribe-Post: {posts[0]}")


def _is_for_many(mail: Source, markup: Markup) -> bool:
    """Return whether a header or a link says so."""
    if mail.has_list_header or mail.value("precedence").strip().lower() in ("bulk", "list"):
        return True
    return any(unsubscribes(each.text, each.target) for each in markup.references if each.kind == "a")


def _check_automatic(mail: Source, found: Findings) -> None:
    precedence = mail.value("precedence").strip().lower()
    if precedence and precedence not in _PRECEDENCE:
        found.add("precedence-invalid", f"header Precedence: {precedence}")
    if mail.values("auto-submitted"):
        value = mail.value("auto-submitted").partition(";")[0].partition("(")[0].strip().lower()
        if value not in _AUTOMATIC:
            found.add("auto-submitted-invalid", f"header Auto-Submitted: {value}")
        return
    robot = next((each.address for each in mail.addresses["From"] if _ROBOT.match(each.address)), "")
    if not mail.has_list_header and (robot or precedence in ("bulk", "junk", "auto_reply")):
        found.add("auto-submitted-missing", f"header From: {robot}" if robot else f"header Precedence: {precedence}")
