"""Paths and parameters of MAIL and RCPT: their values, and the reply that refuses each."""

from __future__ import annotations

import pytest

from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.address import (
    PLAIN_MAIL,
    PLAIN_RCPT,
    Refused,
    decode_xtext,
    parse_parameters,
    parse_path,
)
from rrpy.smtp_plugin.protocol.parameters import mail_parameters, rcpt_parameters
from rrpy.smtp_plugin.protocol.replies import Reply


def path(text: str) -> tuple[str, str]:
    return parse_path(text.encode(), "FROM:", replies.BAD_SENDER, replies.MAIL_SYNTAX)


def refusal(text: bytes) -> Reply:
    with pytest.raises(Refused) as raised:
        parse_path(text, "FROM:", replies.BAD_SENDER, replies.MAIL_SYNTAX)
    return raised.value.reply


@pytest.mark.parametrize(
    ("text", "address", "rest"),
    [
        ("FROM:<>", "", ""),
        ("from:<a@b>", "a@b", ""),
        ("FROM: <a@b>  SIZE=1  BODY=7BIT ", "a@b", "SIZE=1  BODY=7BIT"),
        ("FROM:<> SIZE=1", "", "SIZE=1"),
        ("FROM:a@b SIZE=1", "a@b", "SIZE=1"),
        ("FROM:<@h1,@h2:a@b>", "a@b", ""),
        ('FROM:<"a b"@c>', '"a b"@c', ""),
        (r'FROM:<"a\"b\\c"@d>', r'"a\"b\\c"@d', ""),
        ('FROM:<"@h:x>"@c>', '"@h:x>"@c', ""),
        ("FROM:<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", ""),
        ("FROM:<Root>", "Root", ""),
        ("FROM:<ä@ö>", "ä@ö", ""),
    ],
)
def test_an_address_is_kept_as_it_was_written(text: str, address: str, rest: str) -> None:
    assert path(text) == (address, rest)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (b"", replies.MAIL_SYNTAX),
        (b"FROM:", replies.MAIL_SYNTAX),
        (b"TO:<a@b>", replies.MAIL_SYNTAX),
        (b"FROM:<", replies.BAD_SENDER),
        (b"FROM:<>>", replies.BAD_SENDER),
        (b"FROM:<a@b>SIZE=1", replies.BAD_SENDER),
        (b"FROM:<a@b\r>", replies.BAD_SENDER),
        (b"FROM:<a@b> \x00", replies.BAD_SENDER),
        (b"FROM:\xff", replies.BAD_UTF8),
        (b"FROM:<a@b> \xc3", replies.BAD_UTF8),
    ],
)
def test_a_malformed_path_is_refused(text: bytes, reply: Reply) -> None:
    assert refusal(text) is reply


@pytest.mark.parametrize("address", ["a@b.c", "a.b+c=d@e-f.example", "!#$%&'*+/=?^_`{|}~-@b2", "1@2.3"])
@pytest.mark.parametrize("keyword", ["FROM:", "from: "])
def test_the_short_cut_takes_what_the_parser_takes(address: str, keyword: str) -> None:
    text = f"{keyword}<{address}>"
    plain = PLAIN_MAIL.match(text.encode())
    assert plain is not None
    assert (plain[1].decode(), "") == path(text) == (address, "")


@pytest.mark.parametrize("text", ["<>", "<a@b> SIZE=1", "<a@b>\n", "<a@b-> ", "<a..b@c>", "a@b", "<ä@b>", "<a@b>x"])
def test_the_short_cut_takes_nothing_else(text: str) -> None:
    assert PLAIN_MAIL.match(b"FROM:" + text.encode()) is None
    assert PLAIN_RCPT.match(b"TO:" + text.encode()) is None


def test_parameters_are_a_dictionary() -> None:
    assert parse_parameters("size=10  SMTPUTF8 ENVID=aBc") == {"SIZE": "10", "SMTPUTF8": None, "ENVID": "aBc"}
    assert parse_parameters("") == {}


@pytest.mark.parametrize(
    ("value", "text"), [("", ""), ("a+2Bb", "a+b"), ("+3D+20", "= "), ("a+2bb+3d", "a+b="), ("<>", "<>")]
)
def test_xtext_is_decoded(value: str, text: str) -> None:
    assert decode_xtext(value) == text


@pytest.mark.parametrize("value", ["+", "+4", "+2g", "a=b", "a b", "ä", "+-1"])
def test_what_is_no_xtext_is_refused(value: str) -> None:
    with pytest.raises(Refused) as raised:
        decode_xtext(value)
    assert raised.value.reply is replies.BAD_PARAMETER


def test_a_check_puts_decoded_values_in_place() -> None:
    parameters = parse_parameters("BODY=8bitmime AUTH=<> ENVID=a+3Db RET=hdrs SMTPUTF8 SIZE=010")
    mail_parameters(parameters, 10, smtputf8=True)
    assert parameters == {
        "BODY": "8BITMIME",
        "AUTH": "<>",
        "ENVID": "a=b",
        "RET": "HDRS",
        "SMTPUTF8": None,
        "SIZE": "010",
    }
    assert rcpt_parameters({"ORCPT": "utf-8;ü@b", "NOTIFY": "delay"}) == {"ORCPT": "utf-8;ü@b", "NOTIFY": "DELAY"}
    assert rcpt_parameters({"ORCPT": "rfc822;A+40b"}) == {"ORCPT": "rfc822;A@b"}


@pytest.mark.parametrize(
    ("text", "limit", "reply"),
    [
        ("SIZE=11", 10, replies.too_big(10)),
        ("SIZE=٣", 10, replies.BAD_PARAMETER.naming("SIZE")),
        ("BODY=BINARY", 0, replies.BAD_PARAMETER.naming("BODY")),
        ("NOTIFY=NEVER", 0, replies.UNKNOWN_PARAMETER.naming("NOTIFY")),
        ("SMTPUTF8", 0, replies.UNKNOWN_PARAMETER.naming("SMTPUTF8")),
    ],
)
def test_a_check_refuses(text: str, limit: int, reply: Reply) -> None:
    with pytest.raises(Refused) as raised:
        mail_parameters(parse_parameters(text), limit, smtputf8=False)
    assert raised.value.reply.extended == reply.extended
