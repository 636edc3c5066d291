"""The results of the store's operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..records import Stored


class Added(NamedTuple):
    """A message that was stored."""

    number: int
    message: Stored


class Batch(NamedTuple):
    """The result of `add`. `evicted`: ids of messages deleted for the new ones, which may be of these too."""

    added: Sequence[Added]
    evicted: Sequence[str]


class Found(NamedTuple):
    """The result of `find`. `id`, `number`: None for no message; `next`: as in Changed."""

    id: str | None
    number: int | None
    next: int | None


class Changed(NamedTuple):
    """The result of a change of many messages. `ids`: of those that have changed.

    `next`: where the next slice begins, None at the end.
    """

    ids: Sequence[str]
    next: int | None = None
