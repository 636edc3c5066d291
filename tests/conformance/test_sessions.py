"""The corpus of raw SMTP sessions: the same replies and messages however the bytes are cut.

The rules of docs/reference/smtp.md, 'Conformance', and the sessions or tests that hold them (u: tests/unit/smtp_plugin,
i: tests/integration/smtp_plugin):

     1, 2, 3     one-message, empty-message, one-empty-line
     4           smuggling-*
     5           u/test_dialog.py, i/test_regressions.py: test_the_end_of_data_...
     6           dots-unstuffed, dots-of-all-kinds
     7           over-size, over-size-commands
     8           exact-size, size-parameter, size-of-21-digits
     9           u/test_dialog.py: test_endless_input_takes_no_memory
    10, 11       starttls-refused; i/test_aiosmtpd_defects.py, i/test_server.py: test_starttls_...
    12           auth-*; u/test_sasl.py
    13           null-sender, paths-*, utf8-*, source-routes, control-bytes-in-recipients
    14           order, postmaster
    15           parameters, parameter-syntax, parameters-of-other-extensions
    16           transaction-reset, hello-again-keeps-authentication
    17           pipelined; i/test_aiosmtpd_defects.py: test_the_end_of_input_lost_the_mail
    18           bdat, bdat-refused
    19           i/test_server.py: test_a_connection_can_be_closed_from_every_state;
                 i/test_regressions.py: test_a_connection_can_be_killed_in_a_tls_handshake_and_twice
    20           i/test_server.py: test_draining_tells_idle_sessions_and_lets_a_message_end;
                 the exit code: tests/integration/container/test_host.py
    21           web-*
"""

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
