"""The findings of a check: one for each rule that a mail breaks, with the first places. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from .rules import RULES, SEVERITIES, Severity

MAX_PLACES: Final = 5
"""Places of one finding; `count` counts all."""
MAX_PLACE: Final = 160
"""Characters of one place."""


class Finding(msgspec.Struct, frozen=True):
    """A rule that a mail breaks.

    `rule`: its name in docs/reference/check.md. `severity`: error, warning or hint. `text`: what is wrong, `remedy`:
    what helps, one sentence each. `source`: an RFC section, a standard or a provider. `count`: how often; `places`: the
    first five, each with at most 160 characters, such as `header To`, `line 12` and `HTML line 3: <img src="a.png">`.
    """

    rule: str
    severity: Severity
    text: str
    remedy: str
    source: str
    count: int
    places: Sequence[str]


class Findings:
    """Collects findings, in room that no mail can exceed."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}

    def add(self, rule: str, place: str = "") -> None:
        """Add a place where the mail breaks a rule, "" for the mail as a whole."""
        self._counts[rule] = self._counts.get(rule, 0) + 1
        places = self._places.setdefault(rule, [])
        if place and len(places) < MAX_PLACES:
            places.append(_shown(place))

    def has_room(self, rule: str) -> bool:
        """Return whether a further place is kept: a caller need not describe another one."""
        return len(self._places.get(rule, ())) < MAX_PLACES

    def all(self) -> list[Finding]:
        """Return the findings, the most severe first, else in the order of the rules."""
        ordered = sorted(RULES, key=lambda name: SEVERITIES.index(RULES[name].severity))
        return [self._finding(name) for name in ordered if name in self._counts]

    def _finding(self, name: str) -> Finding:
        rule = RULES[name]
        return Finding(
            rule=name,
            severity=rule.severity,
            text=rule.text,
            remedy=rule.remedy,
            source=rule.source,
            count=self._counts[name],
            places=self._places[name],
        )


def has_errors(findings: Iterable[Finding]) -> bool:
    """Return whether one of the findings is an error."""
    return any(each.severity == "error" for each in findings)


def _shown(place: str) -> str:
    """Return a place as one short line of printable characters."""
    line = "".join(each if each.isprintable() else "\ufffd" for each in " ".join(place[: 4 * MAX_PLACE].split()))
    return line if len(line) <= MAX_PLACE else f"{line[: MAX_PLACE - 1]}…"
