"""The code of a mail: a sign-in, a confirmation, a second factor. Pure.

What we want: the right code, or an error, and never a guess. What does not work: the first number of six digits, which
may be an order, a price, a postcode or a colour. What we do: each text of the form of a code is a candidate. Its
surroundings add points, or exclude it: the nearest word that names codes or other numbers, its line, its weight. The
best one is the code where it has ENOUGH points, and LEAD more than each other.
What can still fail: a mail with two codes, and words of a language that words.py does not have. Both are errors, which
list the candidates; `length` and `pattern` choose among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from ..matching import EXPRESSION, FilterError, Wanted
from ..message import Message
from .reading import LARGE, NAMED, PLAIN, Line, lines_of_html, lines_of_text
from .shapes import HIDDEN, SHAPE, excluded, value_of
from .words import KEYWORD, PROMOTION

ENOUGH: Final = 6
"""Points that a code needs."""
LEAD: Final = 2
"""Points by which it leads each other candidate."""
MAX_CANDIDATES: Final = 500
"""Candidates of one mail at most."""
NEAR: Final = 100
"""Characters before a candidate in which a word counts."""
AFTER: Final = 45
"""Characters after it."""
LINE_BEFORE: Final = "in the line before it"
ADJACENT: Final = 14
"""Characters between a word and a candidate that it names without doubt."""
COMPOUND: Final = 16
"""Characters around a word such as `code` in which another word says of what: `promo code`, `code de commande`."""
SHOWN: Final = 20
"""Candidates that an error lists."""


_LETTER: Final = re.compile(r"\w")
_COPULA: Final = re.compile(
    r"(?:^|\s)(?:is|are|was|ist|lautet|est|es|è|é|är|er|on|jest|to|este|je|olarak|adalah|là|είναι|є|это|هو|הוא)"
    r"(?:\s(?:the|le|la|el|il|o))?\s$|[は是为為은는]\s?$",
    re.IGNORECASE,
)
_PLURAL: Final = frozenset(["codes", "passcodes", "pins", "códigos", "codici"])
_PAUSE: Final = re.compile(r"[,.;:!?、。，]")
_COLONS: Final = (":", "：", "=")
_SENTENCE_END: Final = re.compile(r"[.!?。！？](?:\s|$)|[。！？]")


class Candidate(msgspec.Struct, frozen=True):
    """A text that may be the code. `points`: at least ENOUGH for a code. `reason`: what adds to them or excludes it."""

    value: str
    points: int
    reason: str


class CodeError(LookupError):
    """No text is a code, or several may be. The error lists the candidates, the best first."""

    def __init__(self, sentence: str, candidates: Sequence[Candidate]) -> None:
        lines = [f"  {each.value} | {each.points} points: {each.reason}" for each in candidates[:SHOWN]]
        super().__init__("\n".join([sentence, *lines]))
        self.candidates = candidates


def candidates_of(message: Message) -> list[Candidate]:
    """Return the candidates of a mail, the best first; each value once."""
    best: dict[str, Candidate] = {}
    for lines in _readings(message):
        for candidate in islice(_candidates(lines), MAX_CANDIDATES):
            before = best.get(candidate.value)
            if before is None or candidate.points > before.points:
                best[candidate.value] = candidate
    return sorted(best.values(), key=lambda each: -each.points)


def code_of(message: Message, length: int | None = None, pattern: str | None = None) -> str:
    """Return the code of a mail. Raises CodeError, and FilterError for a wrong expression.

    `length`: characters of the code. `pattern`: an expression of RE2 that the whole code fits.
    """
    wanted = None if pattern is None else Wanted(f"{EXPRESSION}^(?:{pattern})$", "pattern")
    if length is not None and not 1 <= length <= 64:
        raise FilterError("length", f"is {length}; it is 1 to 64")
    found = candidates_of(message)
    fitting = [
        each
        for each in found
        if (length is None or len(each.value) == length) and (wanted is None or wanted.fits(each.value))
    ]
    codes = [each for each in fitting if each.points >= ENOUGH]
    asked = "".join([f" of {length} characters" if length else "", f" that fits {pattern}" if pattern else ""])
    if not codes:
        others = "candidates:" if found else "the mail has no text of this form"
        raise CodeError(f"the mail has no code{asked}; {others}", fitting or found)
    if len(codes) > 1 and codes[0].points < codes[1].points + LEAD:
        raise CodeError(f"the mail has several texts that may be the code{asked}; candidates:", fitting)
    return codes[0].value


def _readings(message: Message) -> Iterator[Sequence[Line]]:
    subject = lines_of_text(message.subject[:1000], "subject")
    if message.html_body:
        yield [*subject, *lines_of_html(message.html_body)]
    if message.body.strip() or not message.html_body:
        yield [*subject, *lines_of_text(message.body)]


class _Subject(NamedTuple):
    """What the subject says. `values`: texts of the form of a code; `names_code`: it has a word that names codes."""

    values: frozenset[str]
    names_code: bool


class _Place(NamedTuple):
    """A candidate in its line. `is_alone`: the rest of the line has no word."""

    value: str
    written: str
    line: Line
    before: str
    after: str
    weight: int
    is_alone: bool
    is_bound: bool

    @classmethod
    def of(cls, line: Line, found: re.Match[str]) -> _Place:
        before, after = line.text[: found.start()], line.text[found.end() :]
        is_alone = not _LETTER.search(before) and not _LETTER.search(after)
        weight = line.weight(*found.span())
        return cls(value_of(found[0]), found[0], line, before, after, weight, is_alone, found["bound"] is not None)

    @property
    def stands_out(self) -> bool:
        """Whether a reader sees it at once."""
        return self.is_alone or self.weight >= LARGE


def _candidates(lines: Sequence[Line]) -> Iterator[Candidate]:
    subjects = [line.text for line in lines if line.place == "subject"]
    values = frozenset(value_of(found[0]) for text in subjects for found in SHAPE.finditer(text))
    subject = _Subject(values, any(map(_speaks_of_codes, subjects)))
    for index, line in enumerate(lines):
        hidden = [found.span() for found in HIDDEN.finditer(line.text)]
        for found in SHAPE.finditer(line.text):
            if not any(start <= found.start() < end for start, end in hidden):
                yield _judged(_Place.of(line, found), lines, index, subject)


def _judged(place: _Place, lines: Sequence[Line], index: int, subject: _Subject) -> Candidate:
    value = place.value
    if not value.isdecimal() and any(PROMOTION.search(each.text[:200]) for each in (lines[0], place.line)):
        return Candidate(value, 0, "a promotion")
    word = _before(place.before) or _after(place.after)
    if word is None and (place.stands_out or place.before.rstrip().endswith(_COLONS)):
        word = _around(lines, index)
    if word is not None and not word.is_code:
        return Candidate(value, 0, f"{word.text!r} is {word.place}")
    speaks = subject.names_code and place.stands_out and word is None
    names = word is not None or place.weight == NAMED or place.is_bound or speaks
    is_adjacent = word is not None and word.is_adjacent
    is_certain = is_adjacent or place.weight == NAMED or place.is_bound
    is_certain = is_certain or (place.stands_out and word is not None and word.place == LINE_BEFORE)
    if other := _other(place, lines[index + 1] if index + 1 < len(lines) else None, is_certain=is_certain):
        return Candidate(value, 0, other)
    marks = list(_marks(place, word))
    if speaks:
        marks.append((3, "the subject speaks of a code"))
    if value in subject.values and place.line.place != "subject" and names:
        marks.append((1, "in the subject"))
    points = sum(count for count, _ in marks)
    reason = ", ".join(each for _, each in marks)
    if not names:
        return Candidate(value, min(points, ENOUGH - 1), f"{reason}, no word near it names a code".lstrip(", "))
    if not value.isdecimal() and not (place.is_alone or place.weight or is_adjacent):
        return Candidate(value, min(points, ENOUGH - 1), f"{reason}, a word in a sentence")
    return Candidate(value, points, reason)


def _other(place: _Place, following: Line | None, *, is_certain: bool) -> str:
    """Return what else a candidate is, empty for nothing else. A line after it that goes on may say so."""
    after = place.after
    if place.is_alone and not after and following is not None and following.text[:1].islower():
        after = following.text[:AFTER]
        word = _after(after)
        if word is not None and not word.is_code:
            return f"{word.text!r} is in the line after it"
    return excluded(place.value, place.written, place.before, after, is_certain=is_certain)


def _marks(place: _Place, word: _Word | None) -> Iterator[tuple[int, str]]:
    """Yield what a candidate's line adds: points, each with the reason."""
    if place.is_bound:
        yield 8, "bound to a host by @host #code"
    if word is not None:
        yield word.points, f"{word.text!r} is {word.place}"
    if place.is_alone and place.line.place != "subject":
        yield 3, "alone in its line"
    if place.weight == NAMED:
        yield 5, "its element is named for codes"
    elif place.weight != PLAIN:
        yield 1 + place.weight, "emphasis"
    if len(place.value) == 6 and place.value.isdecimal():
        yield 1, "six digits"


class _Word(NamedTuple):
    """A word near a candidate. `is_adjacent`: only punctuation or a short word is between them."""

    text: str
    is_code: bool
    points: int
    place: str
    is_adjacent: bool = False


def _before(text: str) -> _Word | None:
    """Return the nearest word before a candidate in its line."""
    window = text[-NEAR:]
    words = list(KEYWORD.finditer(window))
    if not words:
        return None
    last = words[-1]
    gap = len(window) - last.end()
    is_code = last["code"] is not None and not _is_of_something_else(window, last)
    between = window[last.end() :]
    after_colon = between.rstrip(" *").endswith(_COLONS)
    is_said = not _LETTER.search(between) or after_colon or _COPULA.search(between) is not None
    one_clause = is_said and not _SENTENCE_END.search(between)
    points = 4 + 2 * one_clause
    return _Word(_shown(window, last), is_code, points, "before it", one_clause and (gap <= ADJACENT or after_colon))


def _after(text: str) -> _Word | None:
    """Return the nearest word after a candidate in its line: one that names another number only where it is close."""
    window = text[:AFTER]
    found = KEYWORD.search(window)
    if found is None or found[0].lower() in _PLURAL:  # a number of codes
        return None
    is_code = found["code"] is not None and not _is_of_something_else(window, found)
    if not is_code and found.start() > ADJACENT:
        return None
    adjacent = found.start() <= ADJACENT + 4 and not _PAUSE.search(window[: found.start()])
    return _Word(_shown(window, found), is_code, 5, "after it", adjacent)


def _around(lines: Sequence[Line], index: int) -> _Word | None:
    """Return the nearest word in the lines before a candidate, or in the one after it."""
    for distance in (1, 2, 3):
        if index < distance:
            break
        text = lines[index - distance].text[-200:]
        last: re.Match[str] | None = None
        for last in KEYWORD.finditer(text):
            if last["code"] is not None and not _is_of_something_else(text, last):
                return _Word(
                    last[0],
                    True,
                    6 - distance,
                    f"{distance} lines before it" if distance > 1 else LINE_BEFORE,
                )
        if last is not None and distance == 1 and len(text) < NEAR:
            return _Word(_shown(text, last), False, 0, LINE_BEFORE)
    if index + 1 < len(lines):
        text = lines[index + 1].text[:120]
        for found in KEYWORD.finditer(text):
            if found["code"] is not None and not _is_of_something_else(text, found):
                return _Word(found[0], True, 3, "in the line after it")
    return None


def _is_of_something_else(text: str, word: re.Match[str]) -> bool:
    """Return whether a word beside `code` says of what: `promo code`, `code de commande`."""
    around = text[max(0, word.start() - COMPOUND) : word.end() + COMPOUND]
    at = word.start() - max(0, word.start() - COMPOUND)
    for found in KEYWORD.finditer(around):
        if found["other"] is None:
            continue
        between = around[found.end() : at] if found.end() <= at else around[at + len(word[0]) : found.start()]
        if len(between.split()) <= 1 and not re.search(r"[.!?:;,\d]", between):
            return True
    return False


def _shown(text: str, word: re.Match[str]) -> str:
    return text[max(0, word.start() - 12) : word.end()].strip() if word["code"] else word[0]


def _speaks_of_codes(subject: str) -> bool:
    return any(
        found["code"] is not None and not _is_of_something_else(subject, found)
        for found in KEYWORD.finditer(subject[:200])
    )
