"""The corpus of raw SMTP sessions: the same replies and messages however the bytes are cut.

The rules of docs/reference/smtp.md, 'Conformance', and the sessions or tests that hold them (u: tests/unit/smtp_plugin,
i: tests/integration/smtp_plugin):

     1, 2, 3     one-message, empty-message, one-empty-line
     4           smuggling-*, lf-only-*
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
from dataclasses import replace

import pytest
from support.smtp_plugin.dialog import HOST, Recorded, corpus, drive

from rrpy.smtp_plugin.failures.book import RuleBook
from rrpy.smtp_plugin.protocol.failures import Stage
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.protocol.transfer import WINDOW

pytestmark = pytest.mark.usefixtures("untraced")

SESSIONS = corpus()
RELAYED = [each for each in SESSIONS if b"\r\n" in each.sent.partition(b"DATA")[0] and not each.rules.strict]
"""The sessions of clients that end a command with CR LF, as every relay does."""
SMUGGLING = [session for session in SESSIONS if "smuggling" in session.name]


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


def test_small_pieces(session: Recorded) -> None:
    for size in range(2, 8):
        check(session, [session.sent[at : at + size] for at in range(0, len(session.sent), size)])


@pytest.mark.parametrize("session", SMUGGLING, ids=lambda session: session.name)
def test_smuggling_in_every_cut_in_two_and_in_three(session: Recorded) -> None:
    sent = session.sent
    begin = sent.find(b"DATA")
    for at, then in itertools.combinations_with_replacement(range(begin, min(len(sent), begin + 60)), 2):
        check(session, [sent[:at], sent[at:then], sent[then:]])


@pytest.mark.parametrize("session", RELAYED, ids=lambda session: session.name)
def test_normalize_changes_no_session_that_has_sent_crlf(session: Recorded) -> None:
    guard = drive(replace(session.rules, normalize=False), [session.sent])
    for size in (len(session.sent), *range(1, 8)):
        pieces = [session.sent[at : at + size] for at in range(0, len(session.sent), size)]
        assert drive(replace(session.rules, normalize=True), pieces) == guard


def test_rules_that_only_delay_or_fit_nothing_change_no_session(session: Recorded) -> None:
    stages = [str(each) for each in Stage]
    for rule in ({"at": stages, "ip": "203.0.113.9", "drop": True}, {"at": stages, "delay": "20s"}):
        for size in (len(session.sent), *range(1, 8)):
            book = RuleBook()
            book.add(rule)
            pieces = [session.sent[at : at + size] for at in range(0, len(session.sent), size)]
            assert drive(replace(session.rules, failures=book.failures), pieces) == session.expected


LONE_DOTS = [
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r.\r",
    "\r.\n",
    "\n.\r",
    "\r\n.\r\r\n",
    "\r.\r\n",
    "\r\r\n.\n",
    "\n.\r\r\n",
]


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("dot", LONE_DOTS)
def test_smuggling_over_the_border_of_a_read_share(dot: str, end: str) -> None:
    """A step of DATA reads WINDOW bytes at most, and a call 64 steps: the lone dot lies across either border."""
    rules = Rules(hostname=HOST, normalize=True)
    begin = end.join(["EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<x@y.z>", "DATA", ""]).encode()
    evil = f"{dot}MAIL FROM:<evil@x>{end}RCPT TO:<x@y.z>{end}DATA{end}b{end}.{end}".encode()
    for shift in range(8):
        pads = [
            b"x" * (WINDOW - shift),
            (b"x" * 61 + end.encode()) * 1000 + b"x" * (WINDOW - 1000 * (61 + len(end)) - shift),
        ]
        for body in pads:
            noops = b"NOOP" + end.encode()
            for sent in (begin + body + evil, noops * (60 - shift) + begin + b"x" + evil):
                outcomes = [drive(rules, pieces) for pieces in ([sent], [sent[:-9], sent[-9:]])]
                whole = outcomes[0]
                assert outcomes[1] == whole
                ends_in_lf = (dot, end) == ("\n.\n", "\n")
                assert [message[0] for message in whole.messages] == (["a@b.c", "evil@x"] if ends_in_lf else [])
                assert whole.replies.endswith(b"250 OK: message accepted\r\n" if ends_in_lf else b"section 2.3.8\r\n")


def test_the_corpus_is_there() -> None:
    assert len(SESSIONS) > 50
