"""The SMTP core under any input: cuts do not matter, nothing raises, one reply per command, memory stays bounded."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.smtp_plugin.dialog import HOST, Driver, Outcome, drive

from rrpy.smtp_plugin.failures.book import RuleBook
from rrpy.smtp_plugin.protocol.body import Budget, DataBody, LineFeedBody
from rrpy.smtp_plugin.protocol.rules import Rules

pytestmark = pytest.mark.usefixtures("untraced")

RULES = Rules(hostname=HOST, max_message_size=64, max_errors=0)
COMMANDS = [
    *(b"EHLO x", b"HELO x", b"EHLO", b"MAIL FROM:<a@b>", b"MAIL FROM:<> SIZE=9", b"MAIL FROM:<a", b"RCPT TO:<c@d>"),
    *(b"RCPT TO:<>", b"DATA", b"RSET", b"NOOP", b"QUIT", b"VRFY x", b"EXPN x", b"HELP", b"AUTH PLAIN AHUAcA=="),
    *(b"AUTH LOGIN", b"dTo=", b"*", b"BDAT 3", b"BDAT 0 LAST", b"BDAT 80 LAST", b"FOO", b"", b"..", b".", b"a\rb"),
    *(b"\0", b"GET / HTTP/1.0", b"STARTTLS", b"\xff\xfe"),
]
SESSIONS = st.lists(
    st.one_of(st.sampled_from(COMMANDS), st.binary(max_size=12)).flatmap(
        lambda line: st.sampled_from([line + b"\r\n", line + b"\r\n", line + b"\n", line])
    ),
    max_size=25,
).map(b"".join)


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    places = sorted(draw(st.sets(st.integers(0, len(data)), max_size=12)) | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(st.data(), SESSIONS)
def test_any_cut_of_the_bytes_gives_the_same_session(data: st.DataObject, session: bytes) -> None:
    whole = drive(RULES, [session])
    assert drive(RULES, data.draw(cut(session))) == whole
    assert drive(RULES, [session[at : at + 1] for at in range(len(session))]) == whole


@given(st.data(), SESSIONS, st.integers(0, 999))
def test_any_cut_gives_the_same_session_with_rules_that_fail(data: st.DataObject, session: bytes, seed: int) -> None:
    def run(pieces: list[bytes]) -> Outcome:
        book = RuleBook()
        book.add({"at": ["hello", "mail", "data"], "reply": "451 4.3.0 Later", "chance": 0.3, "seed": seed})
        book.add({"at": ["rcpt", "message"], "delay": 1, "throttle": 9, "chance": 0.5, "seed": seed})
        book.add({"at": "data", "drop": "after", "chance": 0.3, "seed": seed})
        book.add({"at": ["auth", "message"], "partial": True, "chance": 0.3, "seed": seed})
        return drive(replace(RULES, failures=book.failures), pieces)

    whole = run([session])
    assert run(data.draw(cut(session))) == whole
    assert run([session[at : at + 1] for at in range(len(session))]) == whole


@given(SESSIONS)
def test_replies_are_lines_of_printable_ascii_with_a_code(session: bytes) -> None:
    replies = drive(RULES, [session]).replies
    assert replies.endswith(b"\r\n")
    for line in replies[:-2].split(b"\r\n"):
        assert re.fullmatch(rb"[2-5]\d\d[ -][\x20-\x7e]*", line)


@given(
    st.lists(
        st.sampled_from(
            [b"EHLO x", b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"RSET", b"NOOP", b"FOO", b"VRFY x", b"DATA x", b"AUTH X"]
        )
    )
)
def test_every_command_gets_one_reply(commands: list[bytes]) -> None:
    driver = Driver(RULES)
    for command in commands:
        said = driver.send(command + b"\r\n")
        assert len(re.findall(rb"^\d\d\d ", said, re.MULTILINE)) == 1


@given(st.lists(st.binary(max_size=20)))
def test_no_byte_of_a_body_is_run_as_a_command(lines: list[bytes]) -> None:
    body = b"".join(b"." + line.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n" for line in lines)
    sent = b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
    driver = Driver(Rules(hostname=HOST))
    driver.send(sent)
    outcome = driver.send(body if b"\r\n.\r\n" not in b"\r\n" + body else b"")
    assert outcome == b""


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b"\0"]), max_size=30).map(b"".join),
    st.data(),
)
def test_the_end_of_data_is_where_a_slow_reader_finds_it(body: bytes, data: st.DataObject) -> None:
    stream = b"\r\n" + body + b"\r\n.\r\n"
    found = re.search(rb"(\r\n\.\r\n)|(?<!\r)\n\.[\r\n]|\r\.[\r\n]|\r\n\.(?:\n|\r(?=[^\n]))", stream, re.DOTALL)
    assert found is not None
    reader = DataBody(0, Budget())
    end = at = -1
    for chunk in data.draw(cut(stream[2:])):
        if chunk and end < 0 and not reader.smuggled:
            end = reader.feed(chunk, 0)
            at = len(chunk)
    assert reader.smuggled == (found[1] is None)
    if found[1]:
        assert end >= 0
        assert at >= end
        assert reader.content() == stream[: found.start() + 2].replace(b"\r\n.", b"\r\n")[2:]


@given(SESSIONS, st.data())
def test_a_session_that_begins_with_crlf_is_the_same_under_normalize(session: bytes, data: st.DataObject) -> None:
    session = b"EHLO x\r\n" + session
    rules = replace(RULES, normalize=True)
    assert drive(rules, data.draw(cut(session))) == drive(RULES, [session])


@given(SESSIONS, st.data())
def test_any_cut_of_the_bytes_gives_the_same_session_under_normalize(session: bytes, data: st.DataObject) -> None:
    session = session.replace(b"\r\n", b"\n")
    rules = replace(RULES, normalize=True)
    assert drive(rules, data.draw(cut(session))) == drive(rules, [session])


@pytest.mark.parametrize("length", range(9))
def test_a_message_of_line_feeds_ends_at_its_own_end_of_line_alone(length: int) -> None:
    """Every short message: LF . LF ends it before the first CR LF of the session, CR LF . CR LF after it."""
    for bytes_of_body in itertools.product((13, 10, 46), repeat=length):
        body = bytes(bytes_of_body)
        whole, slow = LineFeedBody(0, Budget()), LineFeedBody(0, Budget())
        end = whole.feed(body, 0) if body else -1
        at = -1
        for place in range(length):
            if at < 0 and not slow.smuggled and slow.feed(body[place : place + 1], 0) >= 0:
                at = place + 1
        assert whole.smuggled == slow.smuggled, body
        if whole.smuggled or end < 0:
            assert at < 0
            continue
        assert end == at
        assert whole.content() == slow.content()
        read = b"\n" + body[:end]
        if b"\r\n" in read:
            assert read.endswith(b"\r\n.\r\n") or read == b"\n.\r\n", body
        else:
            assert read.endswith(b"\n.\n"), body
            assert whole.content() == read[:-2].replace(b"\n.", b"\n")[1:].replace(b"\n", b"\r\n"), body


def test_an_endless_line_takes_no_memory() -> None:
    driver = Driver(Rules(hostname=HOST, max_message_size=1024))
    for _ in range(1000):
        driver.send(b"x" * 65536)
        assert driver.dialog.waiting_bytes < 65536
    assert driver.send(b"\r\n") == b"500 5.5.2 Line too long: the limit is 512 bytes, for MAIL and RCPT 2048\r\n"
