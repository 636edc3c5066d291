"""The table of replies: every one fit for the wire, with a code that RFC 2034 would take."""

from __future__ import annotations

import re

import pytest

from rrpy.smtp_plugin.protocol.auth import MAX_AUTH
from rrpy.smtp_plugin.protocol.dialog import MAX_COMMAND, MAX_TRANSACTION_COMMAND
from rrpy.smtp_plugin.protocol.replies import MAX_TEXT, Reply, clean, custom, multiline, table

TABLE = table()


@pytest.mark.parametrize("name", TABLE)
def test_a_reply_is_one_printable_line_with_its_code_and_source(name: str) -> None:
    reply = TABLE[name]
    for form in (reply.plain, reply.extended):
        assert re.fullmatch(rb"[2-5]\d\d [\x21-\x7e][\x20-\x7e]*\r\n", form)
        assert form.startswith(str(reply.code).encode())
        assert len(form) <= 512
    assert re.fullmatch(r"(?:RFC \d+|docs/reference/events\.md)(?: \d+(?:\.\d+)*)?", reply.source)


@pytest.mark.parametrize("name", TABLE)
def test_an_enhanced_code_has_the_class_of_its_reply(name: str) -> None:
    reply = TABLE[name]
    if reply.code // 100 == 3:
        assert reply.enhanced == ""
        assert reply.extended == reply.plain
    else:
        assert re.fullmatch(rf"{reply.code // 100}\.\d\.\d{{1,2}}", reply.enhanced)
        assert f" {reply.enhanced} ".encode() in reply.extended


@pytest.mark.parametrize("name", TABLE)
def test_success_is_bare_and_a_refusal_carries_its_code(name: str) -> None:
    reply = TABLE[name]
    assert (reply.plain == reply.extended) == (reply.code >= 300)
    assert reply.refused == (reply.code >= 500)


def test_clean_lets_no_line_end_and_no_control_byte_through() -> None:
    assert clean("a\r\n250 forged\0\x1b\x7f\u2028ü") == "a??250 forged?????"
    assert len(clean("x" * 10_000)) == MAX_TEXT


@pytest.mark.parametrize(
    ("code", "text", "plain", "extended"),
    [
        (250, "queued", b"250 queued\r\n", b"250 2.0.0 queued\r\n"),
        (250, "2.6.0 queued", b"250 queued\r\n", b"250 2.6.0 queued\r\n"),
        (550, "no", b"550 5.0.0 no\r\n", b"550 5.0.0 no\r\n"),
        (451, "4.7.1 wait", b"451 4.7.1 wait\r\n", b"451 4.7.1 wait\r\n"),
        (550, "5.1.1", b"550 5.1.1 \r\n", b"550 5.1.1 \r\n"),
        (354, "go on", b"354 go on\r\n", b"354 go on\r\n"),
        (550, "a\r\n250 OK", b"550 5.0.0 a??250 OK\r\n", b"550 5.0.0 a??250 OK\r\n"),
    ],
)
def test_a_reply_of_somebody_elses_is_cleaned(code: int, text: str, plain: bytes, extended: bytes) -> None:
    reply = custom(code, text)
    assert (reply.plain, reply.extended) == (plain, extended)


@pytest.mark.parametrize("code", [0, 100, 199, 600, 999, -250])
def test_a_code_of_no_class_is_an_error(code: int) -> None:
    with pytest.raises(ValueError, match=f"{code} is not an SMTP reply code"):
        custom(code, "x")


def test_a_reply_of_several_lines() -> None:
    assert multiline(250, ["a", "b\r\n", "c"]) == b"250-a\r\n250-b??\r\n250 c\r\n"
    assert multiline(250, ["a"]) == b"250 a\r\n"


def test_a_reply_shows_itself() -> None:
    assert repr(Reply(552, "5.3.4", "Message too big", "RFC 1870 6.3")) == "<Reply 552 5.3.4 Message too big>"


def test_the_replies_to_long_lines_name_the_limits_of_the_dialog() -> None:
    assert TABLE["LINE_TOO_LONG"].text.endswith(
        f"the limit is {MAX_COMMAND} bytes, for MAIL and RCPT {MAX_TRANSACTION_COMMAND}"
    )
    assert TABLE["AUTH_TOO_LONG"].text.endswith(f"the limit is {MAX_AUTH} bytes")
