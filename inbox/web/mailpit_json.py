"""Mailpit's words: its JSON of a message, and its searches."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ...mime.addresses import Address
from ...mime.message import Attachment, Message, parse
from ..records import Stored, Summary
from ..store.query import Query, QueryError
from ..store.query import parse as parse_query
from .problems import Problem
from .routes import MAX_SEARCH

LISTED: Final = 64 * 1024
"""Bytes of the headers that a list reads of each message: of more, the last fields are missing there."""

_TERM = re.compile(r'((?:[^\s"]|"[^"]*"?)+)')
_HEADERS: Final = ("cc", "bcc", "reply-to", "message-id")
"""Mailpit's operators that search in the header of this name."""
_SAME: Final = ("to", "from", "subject", "is", "has", "before", "after", "larger", "smaller")
_UNKNOWN: Final = ("addressed", "has:inline", "has:inlines")
_UNSUBSCRIBE = re.compile(r"<\s*((?:https?://|mailto:)[^>]+?)\s*>", re.IGNORECASE)


def query_of(text: str) -> Query | None:
    """Return a search of Mailpit's as one of ours; None for one that no message fits. Raises Problem.

    A term of Mailpit's is one of ours, except for some names, `!` for a minus, and quotes around the whole term.
    """
    if len(text) > MAX_SEARCH:
        raise Problem(400, f"query: at most {MAX_SEARCH} characters")
    terms = []
    for written in _TERM.findall(text):
        term = written.replace('"', "")
        minus = "-" if len(term) > 1 and term[0] in "-!" else ""
        term = term[len(minus) :]
        name, colon, value = term.partition(":")
        name = name.lower() if colon else ""
        if name in _UNKNOWN or term.lower() in _UNKNOWN:
            raise Problem(400, f"rrpy does not search by {name if name in _UNKNOWN else term.lower()}")
        if name == "tag" or term.lower() == "is:tagged":  # no message has a tag
            if not minus:
                return None
            continue
        if name in _HEADERS:
            terms.append(f'{minus}header:{name}:"{value}"')
        elif name in _SAME:
            value = "attachment" if term.lower() == "has:attachments" else value
            terms += [f'{minus}{name}:"{value}"'] if value.strip() else []
        elif term.strip():
            terms.append(f'{minus}"{term}"')
    try:
        return parse_query(" ".join(terms))
    except QueryError as error:
        raise Problem(400, str(error)) from None


def head_of(stored: Stored, most: int | None = None) -> Message:
    """Return a message of the headers alone: a large message takes long. `most`: bytes of them, None for all."""
    end = stored.content.find(b"\r\n\r\n")
    return parse(stored.content[: end + 4 if end >= 0 else None][:most])


def summary_of(listed: Summary, stored: Stored) -> dict[str, Any]:
    """Return a message as a list has it. `listed`: with its mark, as it was in the list."""
    return {
        **_addresses(listed, head_of(stored, LISTED), stored),
        "Read": listed.read,
        "Created": listed.received_at,
        "Size": listed.size,
        "Attachments": listed.attachments,
        "Snippet": listed.excerpt,
    }


def message_of(stored: Stored) -> dict[str, Any]:
    """Return a whole message. Parses it: call it in a thread, a large one takes long."""
    listed, message = stored.listed(), parse(stored.content)
    inline: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for number, each in enumerate(message.attachments, 1):
        (inline if each.related or each.inline else others).append(_part_of(number, each))
    header = next(iter(_values(message, "list-unsubscribe")), "")
    return {
        **_addresses(listed, message, stored),
        "ReturnPath": listed.sender,
        "ListUnsubscribe": {
            "Header": header,
            "Links": _UNSUBSCRIBE.findall(header),
            "Errors": "",
            "HeaderPost": next(iter(_values(message, "list-unsubscribe-post")), ""),
        },
        "Date": message.date or listed.received_at,
        "Text": text_of(message),
        "HTML": message.html_body,
        "Size": listed.size,
        "Inline": inline,
        "Attachments": others,
    }


def _addresses(listed: Summary, message: Message, stored: Stored) -> dict[str, Any]:
    """Return what a message and its place in the list share. Bcc has the recipients that no header names."""
    login = msgspec.json.decode(stored.session).get("authentication") or {}
    named = {each.address.lower() for each in (*message.to, *message.cc, *message.bcc)}
    hidden = [Address("", each) for each in dict.fromkeys(listed.to) if each.lower() not in named]
    return {
        "ID": listed.id,
        "MessageID": message.id,
        "From": _person(message.from_[0] if message.from_ else Address("", listed.sender)),
        "To": [*map(_person, message.to)],
        "Cc": [*map(_person, message.cc)],
        "Bcc": [*map(_person, (*message.bcc, *hidden))],
        "ReplyTo": [*map(_person, message.reply_to)],
        "Subject": message.subject,
        "Username": login.get("username", ""),
        "Tags": [],
    }


def _person(address: Address) -> dict[str, str]:
    return {"Name": address.name, "Address": address.address}


def _part_of(number: int, attachment: Attachment) -> dict[str, Any]:
    content = attachment.content()
    digests = {
        name: hashlib.new(name, content, usedforsecurity=False).hexdigest() for name in ("md5", "sha1", "sha256")
    }
    return {
        "PartID": str(number),
        "FileName": attachment.filename,
        "ContentType": attachment.content_type,
        "ContentID": attachment.content_id,
        "Size": attachment.size,
        "Checksums": {name.upper(): digest for name, digest in digests.items()},
    }


def _values(message: Message, header: str) -> Sequence[str]:
    return next((values for name, values in message.headers.items() if name.lower() == header), ())


def text_of(message: Message) -> str:
    """Return the text, or the words of the HTML where there is none."""
    return message.body or message.text_from_html or ""
