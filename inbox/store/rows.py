"""The rows of a message: what its columns of JSON have."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ..records import NO_RELEASES, Record, Stored
from .database import stored_size


class Rows(NamedTuple):
    """The rows of a new message. `size`: bytes that they take. `stored`: the message."""

    size: int
    stored: Stored
    message: tuple[Any, ...]
    detail: tuple[Any, ...]
    content: tuple[Any, ...]


class Kept(msgspec.Struct):
    """The detail of a message in the database. An older rrpy has stored the whole message in it."""

    session: msgspec.Raw
    releases: msgspec.Raw = NO_RELEASES


class _Received(msgspec.Struct):
    received_at: str


def received_at(summary: bytes) -> str:
    """Return when a message was received, from the JSON of its summary."""
    return msgspec.json.decode(summary, type=_Received).received_at


def rows_of(number: int, record: Record, mailbox: int) -> Rows:
    """Return the rows of a new message. `mailbox`: the key of its mailbox."""
    unnumbered, session, words, content = record
    summary = msgspec.json.encode(msgspec.structs.replace(unnumbered, number=number))
    kept = b'{"session":%b}' % session
    size = stored_size(len(summary)) + stored_size(len(kept), len(words.encode())) + stored_size(len(content))
    message = (number, unnumbered.id, size, summary, mailbox)
    return Rows(size, Stored(summary, session, content), message, (number, words, kept), (number, 0, content))
