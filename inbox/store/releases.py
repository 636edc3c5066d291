"""The releases of a message, in the JSON of its detail. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from ..records import Release

KEPT: Final = 20
"""Releases that a message keeps, the last ones."""
_KEY: Final = "releases"


def with_release(detail: bytes, release: Release) -> bytes:
    """Return the detail of a stored message with one more release."""
    whole = msgspec.json.decode(detail, type=dict[str, msgspec.Raw])
    before = msgspec.json.decode(whole.get(_KEY, b"[]"), type=list[msgspec.Raw])
    kept = [*before, msgspec.Raw(msgspec.json.encode(release))][-KEPT:]
    return msgspec.json.encode(whole | {_KEY: kept})
