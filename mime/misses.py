"""What came instead of the mail that a test waits for, as text: the same words in the fixture, RPC and `rrpy wait`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

LONGEST = 200
"""Characters of the recipients, and of the subject, in a line."""


class Came(NamedTuple):
    """A mail that came. `why`: a sentence for each condition that it does not fit, or why it was not enough."""

    sender: str
    to: Sequence[str]
    subject: str
    why: Sequence[str] = ()


def wanted_text(count: int, conditions: str) -> str:
    """Return how a sentence names the mail that is wanted. `conditions`: str() of a Filter."""
    mails = "mail" if count == 1 else f"{count} mails"
    return f"{mails} with {conditions}" if conditions else mails


def report(sentence: str, came: Iterable[Came]) -> str:
    """Return the sentence, and a line for each mail that came; below it why it was not enough."""
    lines = [f"{sentence}; received:"]
    for mail in came:
        lines.append(f"  <{mail.sender}> -> {_short(', '.join(mail.to))} | {_short(mail.subject)}")
        lines += [f"      {reason}" for reason in mail.why]
    return "\n".join(lines if len(lines) > 1 else [*lines, "  nothing"])


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
