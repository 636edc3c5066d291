"""The results of the store's operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from ..records import Stored

Ids = Mapping[str, Sequence[str]]
"""Ids of messages by the names of their mailboxes."""


class Added(NamedTuple):
    """A message that was stored."""

    number: int
    message: Stored


class Batch(NamedTuple):
    """The result of `add`. `gone`: messages deleted for the new ones, which may be of these too."""

    added: Sequence[Added]
    gone: Ids

    @property
    def evicted(self) -> Sequence[str]:
        """The ids of `gone`."""
        return flat(self.gone)


class Found(NamedTuple):
    """The result of `find`. `id`, `number`: None for no message; `next`: as in Changed."""

    id: str | None
    number: int | None
    next: int | None


class Changed(NamedTuple):
    """The result of a change of messages. `of`: those that have changed.

    `next`: where the next slice begins, None at the end.
    """

    of: Ids
    next: int | None = None

    @property
    def ids(self) -> Sequence[str]:
        """The ids of `of`."""
        return flat(self.of)


class MailboxInfo(msgspec.Struct, frozen=True):
    """A mailbox. `bytes`: as `inbox.max_bytes` counts them. `newest`: when its newest message came, null for none."""

    name: str
    messages: int
    unread: int
    bytes: int
    newest: str | None = None


def flat(ids: Ids) -> list[str]:
    """Return the ids of all mailboxes."""
    return [each for of_mailbox in ids.values() for each in of_mailbox]
