"""What is structured in a message's headers: addresses, the date, identifiers (RFC 5322 section 3.6). Pure.

`Fields` keeps the raw headers. Each property reads its own when a caller asks: most callers need few of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from . import words as mime_words
from .addresses import Address, read_addresses

MAX_DATE: Final = 200
"""Most bytes of a date that are read."""

_NAMES: Final = (b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Bcc", b"Date", b"In-Reply-To", b"References")
_STRUCTURED: Final = {spelling: name.lower() for name in _NAMES for spelling in (name, name.lower())}
_NOTHING: Final[Sequence[bytes]] = ()
_MONTHS: Final = {
    name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_PARTS: Final = ("day", "month", "year", "hour", "minute", "second", "zone", "sign", "hours", "minutes")
_ZONES: Final = {b"EST": "-05:00", b"EDT": "-04:00", b"CST": "-06:00", b"CDT": "-05:00"} | {
    b"MST": "-07:00", b"MDT": "-06:00", b"PST": "-08:00", b"PDT": "-07:00"
}  # fmt: skip
_WEEKDAY: Final = rb"\s*+(?:[A-Za-z]{2,9}+\.?+\s*+,?+\s*+)?+"
_CLOCK: Final = rb"(?P<hour>\d\d?+)[:.](?P<minute>\d\d)(?:[:.](?P<second>\d\d)(?:\.\d++)?+)?+"
_OFFSET: Final = rb"(?:\s*+(?P<sign>[+-])(?P<hours>\d\d):?+(?P<minutes>\d\d)\b)?+"
_ZONE: Final = rb"(?:\s*+(?P<zone>[A-Za-z]{1,5}+)\b)?+" + _OFFSET
_DATES: Final = (
    re.compile(
        _WEEKDAY + rb"(?P<day>\d\d?+)[\s.-]++(?P<month>[A-Za-z]{3})[a-z]*+[\s.,-]++(?P<year>\d{2,4}+)[\s,]++"
        + _CLOCK + _ZONE
    ),
    re.compile(  # as ctime writes it
        _WEEKDAY + rb"(?P<month>[A-Za-z]{3})[a-z]*+\s++(?P<day>\d\d?+),?+\s++" + _CLOCK
        + rb"\s++(?:(?P<zone>[A-Z]{1,5})\s++)?+(?P<year>\d{4})" + _OFFSET
    ),
)  # fmt: skip
_ISO: Final = re.compile(rb"\s*+\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d++)?+(?:Z|[+-]\d\d:?+\d\d)?+\s*+\Z")
_COMMENT: Final = re.compile(rb"\([^()]*+\)")
_ID: Final = re.compile(rb"<([^<>]++)>")


class Fields(msgspec.Struct):
    """The raw headers of a message: names as written, and values without their folds, still encoded."""

    _fields: list[tuple[bytes, bytes]]
    _values: dict[bytes, list[bytes]] | None  # of the structured ones, by lower-case name, once a caller asks

    @property
    def from_(self) -> list[Address]:
        """The addresses of From."""
        return self._addresses(b"from")

    @property
    def sender(self) -> list[Address]:
        """The address of Sender, in a list."""
        return self._addresses(b"sender")

    @property
    def reply_to(self) -> list[Address]:
        """The addresses of Reply-To."""
        return self._addresses(b"reply-to")

    @property
    def to(self) -> list[Address]:
        """The addresses of To; the members of a group stand for it."""
        return self._addresses(b"to")

    @property
    def cc(self) -> list[Address]:
        """The addresses of Cc."""
        return self._addresses(b"cc")

    @property
    def bcc(self) -> list[Address]:
        """The addresses of Bcc."""
        return self._addresses(b"bcc")

    @property
    def date(self) -> str | None:
        """The header Date as RFC 3339 has it, with its offset; None if it is absent or cannot be read."""
        values = self._of(b"date")
        return read_date(values[0]) if values else None

    @property
    def in_reply_to(self) -> list[str]:
        """The identifiers in In-Reply-To, without their angle brackets."""
        return read_ids(self._of(b"in-reply-to"))

    @property
    def references(self) -> list[str]:
        """The identifiers in References, without their angle brackets."""
        return read_ids(self._of(b"references"))

    @property
    def headers_list(self) -> list[tuple[str, str]]:
        r"""Every header in order: its name, and its value without folds, still encoded. NUL and bad bytes: `\xff`."""
        return [
            (name.decode(), value.decode("utf-8", "backslashreplace").replace("\0", "\\x00"))
            for name, value in self._fields
        ]

    def _of(self, wanted: bytes) -> Sequence[bytes]:
        """Return the raw values of one of _STRUCTURED."""
        if self._values is None:
            values: dict[bytes, list[bytes]] = {}
            self._values = values
            for name, value in self._fields:
                known = _STRUCTURED.get(name) or _STRUCTURED.get(name.lower())
                if known:
                    values.setdefault(known, []).append(value)
        return self._values.get(wanted, _NOTHING)

    def _addresses(self, wanted: bytes) -> list[Address]:
        values = self._of(wanted)
        return read_addresses(values, _decoded) if values else []


def _decoded(raw: bytes) -> str:
    return mime_words.decode(raw, {})  # its defects are those of the whole header


def read_date(value: bytes) -> str | None:
    """Return a date as RFC 3339 has it, None if it cannot be read (RFC 5322 sections 3.3 and 4.3).

    A zone that is absent or unknown counts as UTC.
    """
    if len(value) > MAX_DATE:
        return None
    text = _COMMENT.sub(b" ", value) if b"(" in value else value
    found = _DATES[0].match(text) or _DATES[1].match(text)
    try:
        if found:
            return _rfc_3339(found)
        if not _ISO.match(text):
            return None
        time = datetime.fromisoformat(text.decode("ascii").strip())
        return time.isoformat() if time.tzinfo else f"{time.isoformat()}+00:00"
    except (ValueError, KeyError):
        return None


def _rfc_3339(found: re.Match[bytes]) -> str:
    """Return the date of a match. Raises ValueError and KeyError for one that the calendar does not have."""
    day, month, written, hour, minute, second, zone, sign, hours, minutes = found.group(*_PARTS)
    year = int(written)
    if len(written) < 4:  # RFC 5322 section 4.3
        year += 2000 if len(written) == 2 and year < 50 else 1900
    seconds = min(int(second or 0), 59)  # a leap second
    time = datetime(year, _MONTHS[month.lower()], int(day), int(hour), int(minute), seconds).isoformat()  # noqa: DTZ001
    if not sign:
        return time + _ZONES.get((zone or b"").upper(), "+00:00")
    if hours > b"23" or minutes > b"59":
        raise ValueError(sign)
    offset = b"%b:%b" % (hours, minutes)
    return f"{time}{sign.decode() if offset != b'00:00' else '+'}{offset.decode()}"


def read_ids(values: Iterable[bytes]) -> list[str]:
    """Return the identifiers in raw headers, without their angle brackets (RFC 5322 section 3.6.4).

    Without brackets each word with an `@` counts.
    """
    found: list[str] = []
    for value in values:
        ids = _ID.findall(value) or [word for word in value.split() if b"@" in word]
        found += filter(None, ("".join(_decoded(each).split()) for each in ids))
    return found
