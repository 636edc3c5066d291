"""The read mark of a message: a row of the table `read`, and the last field of its summary's JSON. Pure.

The JSON is stored as of an unread message, and is sent without decoding. For a read one its end is written anew.
"""

from __future__ import annotations

from typing import Final

import msgspec

IS_READ: Final = "EXISTS (SELECT 1 FROM read WHERE read.number = {}.number)"
"""The column that tells whether the message of a table's row is read."""

_UNREAD = b'"read":false}'
_READ = b'"read":true}'
_BEFORE = b'{"summary":'


class _Whole(msgspec.Struct):
    summary: msgspec.Raw


def with_mark(summary: bytes, read: bool) -> bytes:
    """Return the JSON of a stored summary with its mark. A message that an older rrpy has stored is without one."""
    if not read:
        return summary
    if summary.endswith(_UNREAD):
        return summary[: -len(_UNREAD)] + _READ
    return summary[:-1] + b"," + _READ


def detail_with_mark(detail: bytes, read: bool) -> bytes:
    """Return the JSON of a stored message, which begins with its summary, with its mark."""
    if not read:
        return detail
    summary = bytes(msgspec.json.decode(detail, type=_Whole).summary)
    return _BEFORE + with_mark(summary, read) + detail[len(_BEFORE) + len(summary) :]
