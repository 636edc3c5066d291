"""The language of a search: words, quotes, minus and operators. Pure.

    search = [ term *( white space term ) ]
    term   = [ "-" ] [ operator ":" | "header:" name ":" ] ( word | DQUOTE words [ DQUOTE ] )

A message fits when it fits each term; "-" turns a term round. Words and the values of texts are compared as parts,
without case and accents. Another word with a colon is plain, as in a pasted URL.
What we want: an index of the words spares the reading of most messages. So a term says which words a message must have,
and reads the message itself only where its words are there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from ...mime.message import Message
from ..records import MAX_WORDS, Summary, fold, words_of_html

OPERATORS: Final = {
    "from": "from:ann",
    "to": "to:example.com",
    "subject": "subject:invoice",
    "body": 'body:"reset your password"',
    "header": "header:x-tag:welcome",
    "has": "has:attachment",
    "is": "is:unread",
    "before": "before:2026-11-30",
    "after": "after:2h",
    "larger": "larger:1MB",
    "smaller": "smaller:10kB",
    "mailbox": "mailbox:name",
}
"""Every operator, with an example. Their list in static/operators.js is the same."""

_TERM = re.compile(rf'(-?)(?:(header):([^\s:"]+):|({"|".join(OPERATORS)}):)?(?:"([^"]+)"?|(\S*))', re.IGNORECASE)
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DAYS: Final = {"today": 0, "yesterday": 1}


class QueryError(ValueError):
    """A search is wrong. The text is one sentence."""


class Candidate(Protocol):
    """A message that may fit. It reads its parts as they are asked for. `words`: folded, as records.fold does."""

    @property
    def words(self) -> str: ...  # noqa: D102
    @property
    def summary(self) -> Summary: ...  # noqa: D102
    @property
    def parsed(self) -> Message: ...  # noqa: D102


Test = Callable[[Candidate], bool]


class Query(NamedTuple):
    """A search. `needed`: texts without white space; each message that fits has all of them in its words.

    `hits`: the folded texts that the search finds, for a page that marks them. `tests`: a message that fits passes all.
    """

    needed: frozenset[str] = frozenset()
    hits: Sequence[str] = ()
    tests: Sequence[Test] = ()

    def fits(self, message: Candidate) -> bool:
        """Return whether a message fits. A test that reads more of the message comes later."""
        return all(test(message) for test in self.tests)


EVERYTHING: Final = Query()


def parse(text: str, now: datetime | None = None) -> Query:
    """Return the query of a text. Raises QueryError.

    `now`: of terms such as `after:2h`. A date without an offset is one of this machine's time zone.
    """
    needed: set[str] = set()
    hits: list[str] = []
    tests: list[tuple[int, Test]] = []
    for minus, operator, name, value in _terms(text):
        cost, test = _tested(operator, name, value, now)
        if operator in _TEXTS and not minus:
            needed |= set(value.split())
        if operator in _MARKED and value and not minus:
            hits.append(value)
        tests.append((cost, _turned(test) if minus else test))
    tests.sort(key=lambda each: each[0])
    return Query(frozenset(needed), tuple(dict.fromkeys(hits)), tuple(test for _, test in tests))


def _terms(text: str) -> Iterator[tuple[bool, str, str, str]]:
    """Yield of each term whether it has a minus, its operator, the header's name and the folded value."""
    for found in _TERM.finditer(text):
        minus, header, name, operator, quoted, plain = found.groups()
        if minus and not found.group()[1:]:
            minus, plain = "", minus  # a minus alone is a word
        operator = (header or operator or "").lower()
        value = " ".join(fold(plain if quoted is None else quoted).split())
        if value or operator:
            yield bool(minus), operator, (name or "").lower(), value


def _tested(operator: str, name: str, value: str, now: datetime | None) -> tuple[int, Test]:
    """Return the test of a term, and how much of a message it reads."""
    if not value and not name:
        raise QueryError(f"{operator}: has no value; an example is {OPERATORS[operator]}")
    if operator == "mailbox":
        return 1, lambda message: fold(message.summary.mailbox) == value
    if operator == "header":
        return 4, _header(name, value) if name else _header(value, "")
    if operator in _TEXTS:
        cost, texts = _TEXTS[operator]
        return cost, _contains(value, texts)
    if operator in _WORDS:
        return 1, _one_of(operator, value)
    if operator in ("larger", "smaller"):
        return 1, _sized(operator, value)
    return 1, _dated(operator, value, now or datetime.now().astimezone())


def _turned(test: Test) -> Test:
    return lambda message: not test(message)


def _within(value: str) -> Callable[[str], bool]:
    """Return whether a folded text has a value; white space of any length and kind is the same.

    No pattern: one of a hundred words would try all of them at each place of a text that repeats them.
    """
    if " " not in value:
        return lambda text: value in text
    words = value.split()
    return lambda text: value in text or (all(word in text for word in words) and value in " ".join(text.split()))


def _contains(value: str, texts: Callable[[Candidate], Iterable[str]] | None) -> Test:
    """Return the test for a value in the words, and in one of the texts, which are a part of the words."""
    within = _within(value)
    if texts is None:
        return lambda message: within(message.words)
    return lambda message: within(message.words) and _has(within, texts(message))


def _has(within: Callable[[str], bool], texts: Iterable[str]) -> bool:
    """Return whether one of the texts has it, in their first MAX_WORDS characters."""
    left = MAX_WORDS
    for text in texts:
        if within(fold(text[:left])):
            return True
        left = max(0, left - len(text))
    return False


def _header(name: str, value: str) -> Test:
    within = _within(value)
    return lambda message: _has(within, _values(message.parsed.headers, name))


def _one_of(operator: str, value: str) -> Test:
    known = _WORDS[operator]
    if value not in known:
        *most, last = known
        raise QueryError(f"{operator}:{value} is unknown; {operator}: takes {', '.join(most)} or {last}")
    fits = known[value]
    return lambda message: fits(message.summary)


def _sized(operator: str, value: str) -> Test:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?([kmg]?)b?", value)
    if found is None:
        raise QueryError(f"{operator}:{value} is not a size; an example is {OPERATORS[operator]}")
    size = float(found[1]) * {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}[found[2]]
    if operator == "larger":
        return lambda message: message.summary.size > size
    return lambda message: message.summary.size < size


def _dated(operator: str, value: str, now: datetime) -> Test:
    try:
        utc = _instant(value, now).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        raise QueryError(
            f"{operator}:{value} is not a time; examples are 2026-11-30, 2026-11-30T10:00, today and 2h"
        ) from None
    instant = f"{utc.isoformat(timespec='milliseconds')}Z"  # as a summary has it
    if operator == "before":
        return lambda message: message.summary.received_at < instant
    return lambda message: message.summary.received_at >= instant


def _instant(value: str, now: datetime) -> datetime:
    """Return the beginning of a year, a month, a day or a minute; or a time back from now. Raises ValueError."""
    if found := re.fullmatch(r"(\d{1,7})([mhdw])", value):
        return now - int(found[1]) * _UNITS[found[2]]
    if value in _DAYS:
        return (now - timedelta(days=_DAYS[value])).replace(hour=0, minute=0, second=0, microsecond=0)
    if re.fullmatch(r"\d{4}(-\d{1,2}){0,2}", value):
        year, month, day = [*map(int, value.split("-")), 1, 1][:3]
        return datetime(year, month, day).astimezone()
    return datetime.fromisoformat(value.upper()).astimezone()


def _values(headers: Mapping[str, Sequence[str]], *names: str) -> Iterator[str]:
    for name, values in headers.items():
        if name.lower() in names:
            yield from values


def _senders(message: Candidate) -> Iterator[str]:
    yield message.summary.sender
    yield message.summary.header_from


def _recipients(message: Candidate) -> Iterator[str]:
    yield from message.summary.to
    yield from _values(message.parsed.headers, "to", "cc")


def _subject(message: Candidate) -> Iterator[str]:
    yield message.summary.subject


def _body(message: Candidate) -> Iterator[str]:
    yield message.parsed.body
    yield words_of_html(message.parsed)


_TEXTS: Final[Mapping[str, tuple[int, Callable[[Candidate], Iterable[str]] | None]]] = {
    "": (0, None),
    "subject": (2, _subject),
    "from": (2, _senders),
    "to": (3, _recipients),
    "body": (3, _body),
}
_MARKED: Final = (*_TEXTS, "header")
_WORDS: Final[Mapping[str, Mapping[str, Callable[[Summary], bool]]]] = {
    "has": {
        "attachment": lambda summary: summary.attachments > 0,
        "html": lambda summary: summary.html,
        "defect": lambda summary: summary.defects > 0,
    },
    "is": {
        "refused": lambda summary: summary.code >= 400,
        "accepted": lambda summary: summary.code < 400,
        "read": lambda summary: summary.read,
        "unread": lambda summary: not summary.read,
    },
}
