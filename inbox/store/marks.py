"""The read mark of a message: a row of the table `read`, and the last field of its summary's JSON. Pure.

The JSON is stored as of an unread message, and is sent without decoding. For a read one its end is written anew.
"""

from __future__ import annotations

from typing import Final

IS_READ: Final = "EXISTS (SELECT 1 FROM read WHERE read.number = {}.number)"
"""The column that tells whether the message of a table's row is read."""

_UNREAD = b'"read":false}'
_READ = b'"read":true}'


def with_mark(summary: bytes, read: bool) -> bytes:
    """Return the JSON of a stored summary with its mark. A message that an older rrpy has stored is without one."""
    if not read:
        return summary
    if summary.endswith(_UNREAD):
        return summary[: -len(_UNREAD)] + _READ
    return summary[:-1] + b"," + _READ
