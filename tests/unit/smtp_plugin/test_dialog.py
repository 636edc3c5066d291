"""The SMTP dialog without a socket: the end of data, endless input, and defects that it once had."""

from __future__ import annotations

import tracemalloc

import pytest
from support.smtp_plugin.dialog import BEGIN, HOST, Driver

from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.smtp_plugin.protocol.conversation import MAX_OVERSHOOT
from rrpy.smtp_plugin.protocol.dialog import Dialog
from rrpy.smtp_plugin.protocol.phases import Event
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.session import Session

RULES = Rules(hostname=HOST)
SEGMENT = 65536
MEBIBYTE = 1 << 20


@pytest.mark.parametrize("before", [b"", BEGIN, b"EHLO x\r\nAUTH LOGIN\r\n"], ids=["command", "data", "auth"])
def test_endless_input_takes_no_memory(before: bytes) -> None:
    """docs/reference/smtp.md, rule 9: 100 MB without CR LF at a limit of 1 KiB."""
    driver = Driver(Rules(hostname=HOST, max_message_size=1024))
    driver.send(before)
    segment = b"x" * SEGMENT
    tracemalloc.start()
    try:
        for _ in range(100 * 1000 * 1000 // SEGMENT):
            driver.send(segment)
        assert tracemalloc.get_traced_memory()[1] < 2 * MEBIBYTE
    finally:
        tracemalloc.stop()
    assert driver.outcome.messages == []


def test_the_end_of_data_may_be_cut_anywhere() -> None:
    for cuts in range(1 << 4):
        driver = Driver(RULES)
        driver.send(BEGIN)
        pending = b"a"
        for at, byte in enumerate(b"\r\n.\r\n"):
            pending += bytes((byte,))
            if cuts >> at & 1:
                driver.send(pending)
                pending = b""
        driver.send(pending + b"NOOP\r\n")
        assert [body for *_, body in driver.outcome.messages] == [b"a\r\n"], cuts
        assert driver.outcome.replies.endswith(b"accepted\r\n250 OK\r\n")


@pytest.mark.parametrize("offset", range(6))
def test_the_end_of_data_may_straddle_a_segment_of_64_kib(offset: int) -> None:
    body = b"a" * (SEGMENT - offset)
    driver = Driver(RULES)
    driver.send(BEGIN)
    stream = body + b"\r\n.\r\nNOOP\r\n"
    driver.send(stream[:SEGMENT])
    driver.send(stream[SEGMENT:])
    assert [content for *_, content in driver.outcome.messages] == [body + b"\r\n"]
    assert driver.outcome.replies.endswith(b"accepted\r\n250 OK\r\n")


@pytest.mark.parametrize(("argument", "utf8"), [(b"<a@b> SMTPUTF8", True), (b"<a@b> SIZE=1", False), (b"<a@b>", False)])
def test_the_envelope_says_whether_its_addresses_may_be_utf_8(argument: bytes, utf8: bool) -> None:
    driver = Driver(RULES)
    driver.send(b"EHLO x\r\nMAIL FROM:" + argument + b"\r\n")
    assert driver.dialog.envelope.smtp_utf8 is utf8


def test_body_bytes_count_what_arrives_kept_or_not() -> None:
    driver = Driver(Rules(hostname=HOST, max_message_size=10))
    dialog = driver.dialog
    driver.send(BEGIN)
    assert dialog.body_bytes == 0
    driver.send(b"123456")
    assert dialog.body_bytes == 6
    driver.send(b"789012")
    assert dialog.body_bytes == 12
    driver.send(b"\r\n.\r\n")
    assert dialog.body_bytes is None
    driver.send(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 4\r\n12")
    assert dialog.body_bytes == 2
    driver.send(b"34")
    assert dialog.body_bytes is None
    driver.send(b"BDAT 20\r\n123")
    assert dialog.body_bytes == 3
    dialog.close(None)
    assert dialog.body_bytes is None


def test_clear_text_after_starttls_never_runs_inside_tls() -> None:
    """RFC 3207 section 6, for bytes that arrive in a segment of their own."""
    dialog = Dialog(Rules(hostname=HOST, tls_available=True), Session(None, ("192.0.2.1", 40000)))
    dialog.receive(b"EHLO x\r\nSTARTTLS\r\n")
    assert dialog.next_event() is Event.START_TLS
    dialog.take_output()
    dialog.receive(b"EHLO evil\r\nMAIL FROM:<evil@x>\r\n")
    dialog.tls_started()
    assert dialog.take_output() == b""
    assert dialog.envelope.mail_from is None


def test_a_long_url_closes_too() -> None:
    """docs/reference/smtp.md, rule 21, for a request line over 512 bytes."""
    driver = Driver(RULES)
    driver.send(b"POST /" + b"x" * 600 + b" HTTP/1.1\r\nHost: x\r\n\r\nEHLO evil\r\n")
    assert driver.outcome.closed


@pytest.mark.parametrize("tls_first", [False, True])
def test_rset_before_ehlo_does_not_replace_it(tls_first: bool) -> None:
    """RFC 5321 section 4.1.4."""
    driver = Driver(Rules(hostname=HOST, tls_available=True))
    if tls_first:
        driver.send(b"EHLO x\r\n")
        driver.dialog.tls_started()
    driver.send(b"RSET\r\n")
    assert driver.send(b"MAIL FROM:<a@b>\r\n").startswith(b"503 ")


@pytest.mark.parametrize("command", [b"RSET  ", b"DATA  ", b"RSET \t", b"MAIL FROM:<a@b>\t", b"EHLO x\t"])
def test_white_space_at_the_end_is_not_an_argument(command: bytes) -> None:
    """RFC 5321 section 4.1.1: a server tolerates trailing white space, more than one blank and tabs too."""
    driver = Driver(RULES)
    driver.send(b"EHLO x\r\n" if command[:4] != b"DATA" else BEGIN[:-6])
    assert driver.send(command + b"\r\n")[:1] in (b"2", b"3")


@pytest.mark.parametrize(("command", "name"), [(b"EHLO  ", None), (b"EHLO x ", "x")])
def test_blanks_are_not_part_of_a_host_name(command: bytes, name: str | None) -> None:
    """RFC 5321 section 4.1.1.1."""
    driver = Driver(RULES)
    driver.send(command + b"\r\n")
    assert driver.dialog.session.host_name == name


def test_the_reply_to_a_flood_does_not_depend_on_the_cut() -> None:
    """A message above four times the limit gets 421, whole or byte by byte."""
    outcomes = []
    for size in (10_000, 1):
        driver = Driver(Rules(hostname=HOST, max_message_size=16))
        stream = BEGIN + b"x" * 100 + b"\r\n.\r\n"
        for at in range(0, len(stream), size):
            driver.send(stream[at : at + size])
        outcomes.append(driver.outcome)
    assert outcomes[0] == outcomes[1]


def test_a_message_over_the_budget_is_not_read_for_ever() -> None:
    """It is cut at four times the size limit, though it is dropped before it reaches that limit."""
    driver = Driver(Rules(hostname=HOST, max_message_size=1024, budget=Budget(512)))
    driver.send(BEGIN)
    for _ in range(100):
        driver.send(b"x" * 500)
    assert driver.outcome.closed


@pytest.mark.parametrize(
    "lines",
    [
        [b"AUTH PLAINAHUAc2VjcmV0"],
        [b"AUTH AHUAc2VjcmV0"],
        [b"AUTHPLAIN AHUAc2VjcmV0"],
        [b"AUTH PLAIN AHUAc2VjcmV0"],
        [b"AUTH LOGIN", b"dXNlcg==", b"c2VjcmV0"],
        [b"AUTH FOO", b"c2VjcmV0"],
        [b"EHLO x", b"AUTH LOGIN", b"*", b"c2VjcmV0"],
        [b"EHLO x", b"MAIL FROM:<a@b>", b"AUTH LOGIN", b"dXNlcg==", b"c2VjcmV0"],
    ],
)
def test_no_line_with_a_secret_is_traced_however_auth_is_written_and_refused(lines: list[bytes]):
    traced: list[str] = []
    dialog = Dialog(Rules(), Session(None, None), traced.append)
    dialog.greet()
    for line in lines:
        dialog.receive(line + b"\r\n")
    assert traced
    assert not any("Vjcm" in line or "dXNlcg" in line for line in traced), traced


@pytest.mark.parametrize(("sent", "shown"), [(b"B\xfcro", "B\\xfcro"), ("Büro".encode(), "Büro"), (b"\xff", "\\xff")])
def test_a_name_in_an_8_bit_charset_is_shown_escaped(sent: bytes, shown: str) -> None:
    driver = Driver()
    assert driver.send(b"EHLO " + sent + b"\r\n").startswith(b"250-")
    assert driver.session.helo == shown


def test_recipients_far_over_the_limit_count_as_errors_in_each_transaction() -> None:
    """They cost the client nothing: it could send 5,000 of them for each message."""
    driver = Driver(Rules(hostname=HOST, max_recipients=1, max_errors=2))
    begin, more = b"MAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\n", b"RCPT TO:<x@y.z>\r\n"
    driver.send(b"EHLO x\r\n")
    for _ in range(2):
        said = driver.send(begin + more * MAX_OVERSHOOT + b"RSET\r\n")
        assert said.count(b"452 4.5.3 ") == MAX_OVERSHOOT
        assert said.endswith(b"250 OK\r\n")
    said = driver.send(begin + more * (MAX_OVERSHOOT + 3))
    assert said.count(b"452 4.5.3 ") == MAX_OVERSHOOT + 2
    assert said.endswith(b"421 4.7.0 Too many errors: the limit is 2\r\n")


def test_a_session_follows_other_rules_from_its_next_command_on() -> None:
    dialog = Dialog(RULES, Session(None, None))
    dialog.receive(b"EHLO x\r\n")
    dialog.use(Rules(hostname=HOST, delegated=frozenset({b"MAIL"})))
    dialog.receive(b"MAIL FROM:<a@b.c>\r\n")
    assert (dialog.next_event(), dialog.delegated) == (Event.DELEGATE, ("MAIL", "FROM:<a@b.c>"))
