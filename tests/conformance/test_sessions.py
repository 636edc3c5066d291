"""The corpus of raw SMTP sessions: the same replies and messages however the bytes are cut."""

from __future__ import annotations

import itertools
import random

import pytest
from support.smtp_plugin.dialog import Recorded, corpus, drive

SESSIONS = corpus()


@pytest.fixture(params=SESSIONS, ids=lambda session: session.name)
def session(request: pytest.FixtureRequest) -> Recorded:
    return request.param


def check(session: Recorded, chunks: list[bytes]) -> None:
    outcome = drive(session.rules, chunks)
    assert outcome.replies.decode() == session.expected.replies.decode()
    assert outcome.messages == session.expected.messages
    assert outcome.closed == session.expected.closed


def test_whole(session: Recorded) -> None:
    check(session, [session.sent])


def test_line_by_line(session: Recorded) -> None:
    check(session, session.sent.splitlines(keepends=True))


def test_byte_by_byte(session: Recorded) -> None:
    check(session, [session.sent[at : at + 1] for at in range(len(session.sent))])


def test_random_cuts(session: Recorded) -> None:
    size = len(session.sent)
    for seed in range(10):
        choice = random.Random(seed)
        cuts = sorted({0, size, *(choice.randrange(size) for _ in range(choice.randrange(1, 40)))})
        check(session, [session.sent[start:end] for start, end in itertools.pairwise(cuts)])


def test_the_corpus_is_there() -> None:
    assert len(SESSIONS) > 50
