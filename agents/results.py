"""What an agent gets: a text, and the same as JSON. All that a mail has is bounded and marked (`untrusted`). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from .protocols import ToolFailed
from .untrusted import NOTICE, bounded, cut, marked

MAX_MAILS: Final = 50
"""Mails of one answer."""
SHOWN: Final = 20_000
"""Characters of a mail's text that an agent gets where the call names no number."""
LISTED: Final = (200, 10)
"""Characters of a text, and items of a list, for each mail of a list."""
WHOLE: Final = (500, 50)
"""The same for a mail alone."""
LINK: Final = (4000, 20)
"""The same for links: one that is cut is of no use."""

_KEYS: Final = (
    *("id", "number", "received_at", "from", "to", "header_from", "subject"),
    *("excerpt", "size", "attachments", "mailbox"),
)
"""The keys of a Summary that an agent gets."""


class Result(NamedTuple):
    """What an agent gets: a text, and the same as JSON."""

    text: str
    data: Mapping[str, Any]


def listed(page: Mapping[str, Any]) -> Result:
    """Return a part of the list of mails. `page`: a MessageList."""
    mails = [_summary(each, *LISTED) for each in page["messages"]]
    lines = [f"{each['id']}  {each['received_at']}  {each['header_from']}  {each['subject']}" for each in mails]
    text = marked("\n".join(line.replace("\n", " ") for line in lines)) if mails else "No mail."
    if page["next"] is not None:
        text += f"\nThere are more mails: pass before={page['next']}."
    return Result(text, {"notice": NOTICE, "untrusted": {"mails": mails}, "next": page["next"], "total": page["total"]})


def found_of(untrusted: Mapping[str, Any]) -> Result:
    """Return parts of a mail for an agent. A list has a line for each item."""
    lines = []
    for name, value in untrusted.items():
        items = value if isinstance(value, list) else [value]
        lines += [f"{name}: {_line(each)}" for each in items] or [f"{name}: none"]
    return Result(marked("\n".join(lines)), {"notice": NOTICE, "untrusted": untrusted})


def bounded_list(items: Sequence[Mapping[str, Any]], bounds: tuple[int, int]) -> list[Any]:
    """Return items within these bounds, and no more of them than the bounds have."""
    return [bounded(each, *bounds) for each in items[: bounds[1]]]


def failure_of(error: ToolFailed) -> Result:
    """Return what an agent gets of a failure: the reason, and what there is instead, marked."""
    if not error.found:
        return Result(str(error), {"error": str(error)})
    text, data = found_of({name: bounded_list(each, LINK) for name, each in error.found.items()})
    return Result(f"{error}\nThis is there instead. {text}", {"error": str(error), **data})


def _summary(summary: Mapping[str, Any], size: int, items: int) -> dict[str, Any]:
    found: dict[str, Any] = {key: bounded(summary[key], size, items) for key in _KEYS if key in summary}
    return found


def mail_of(mail: Mapping[str, Any], form: str, offset: int, size: int) -> Result:
    """Return a mail for an agent. `form`: of GetMail."""
    described = _summary(mail["summary"], *WHOLE)
    keys = ("number", "filename", "content_type", "size")
    described["attachments"] = bounded([{key: each[key] for key in keys} for each in mail["attachments"]], *WHOLE)
    described["date"] = mail["date"]
    described.pop("excerpt")
    text, of = mail["text"] or mail["text_from_html"], "text"
    if form == "html":
        text, of = mail["html"], "html"
    elif form == "headers":
        text, of = _headers(mail["headers"]), "headers"
    piece, after = cut(text, offset, size)
    head = "\n".join(f"{key}: {_line(value)}" for key, value in described.items())
    shown = marked(f"{head}\n\n{piece}")
    if after is not None:
        shown += f"\nThis is not all of the {of}: pass offset={after} for the rest."
    data = {"notice": NOTICE, "untrusted": {**described, of: piece}, "next_offset": after}
    return Result(shown, data)


def _headers(headers: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(f"{name}: {' '.join(value.split())}" for name, values in headers.items() for value in values)


def _line(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text.replace("\n", " ")
