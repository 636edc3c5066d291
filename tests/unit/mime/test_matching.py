"""Which mail a test or a client of the inbox means."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrpy.mime.matching import MAX_HEADERS, MAX_WANTED, SEARCHED, Filter, FilterError, Mail, Wanted
from rrpy.mime.message import Message, parse

RAW = (
    b"From: The Shop <Shop@b.c>\r\nTo: list@x.y\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe=3A?= 2 * 3 STRASSE\r\n"
    b"X-Tag: welcome\r\nX-Tag: second  one\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b"--b\r\n\r\nYour code is\r\n123456. Thank you!\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>Your <b>code</b>: 654&shy;321</p>\r\n--b--\r\n"
)
MAIL = Mail.of(["Bob@Example.com", "carol@x.y"], "Ann@b.c", parse(RAW))


def never() -> Message:
    raise AssertionError("a message is parsed without need")


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Filter.of(), True),
        # A complete address is that address. Anything else is a part.
        (Filter.of(to="bob@EXAMPLE.com"), True),
        (Filter.of(to="ob@example.com"), False),
        (Filter.of(to="bob@example.co"), False),
        (Filter.of(to="bob"), True),
        (Filter.of(to="@example"), True),
        (Filter.of(to="=bob"), False),
        (Filter.of(to="*@example.com"), True),
        (Filter.of(to="*@example.org"), False),
        (Filter.of(to="=*@example.com"), True),
        (Filter.of(to="=*@example.co"), False),
        (Filter.of(to="~^(bob|dan)@"), True),
        (Filter.of(to="~^ob@"), False),
        (Filter.of(to="list@x.y"), False),
        # The sender is that of the envelope, or the header From.
        (Filter.of(sender="aNN@B.c"), True),
        (Filter.of(sender="shop@b.c"), True),
        (Filter.of(sender="hop@b.c"), False),
        (Filter.of(sender="the shop"), True),
        (Filter.of(sender="="), False),
        (Filter.of(subject="grüsse: 2 * 3 straße"), True),
        (Filter.of(subject="Grüße"), True),
        (Filter.of(subject="=Grüße"), False),
        (Filter.of(subject="=Grüße*"), True),
        (Filter.of(subject="*2 * 3*"), True),
        (Filter.of(subject="3*2"), False),
        (Filter.of(subject="~GRÜßE: .* str"), True),
        (Filter.of(subject="~(?-i)grüße"), False),
        (Filter.of(subject="~^2"), False),
        (Filter.of(subject="GRÜSSE*", to="*", sender="*"), True),
        (Filter.of(subject="GRÜSSE*", to="dan@x.y"), False),
        (Filter.of(subject=".*"), False),
        (Filter.of(body="code is 123456"), True),
        (Filter.of(body="~code is\\s123456"), True),
        (Filter.of(body="~(?m)^123456"), True),
        (Filter.of(body="Your code: 654"), True),
        (Filter.of(body="<b>"), False),
        (Filter.of(header="x-tag: WELCOME"), True),
        (Filter.of(header="X-Tag: second one"), True),
        (Filter.of(header="X-Tag: =second"), False),
        (Filter.of(header="X-Tag:~^sec"), True),
        (Filter.of(header="X-Tag"), True),
        (Filter.of(header="X-Tag:"), True),
        (Filter.of(header="X-Other"), False),
        (Filter.of(header=["X-Tag: welcome", "To: list"]), True),
        (Filter.of(header=["X-Tag: welcome", "To: other"]), False),
    ],
    ids=str,
)
def test_a_text_fits_a_part_or_after_a_sign_the_whole_or_as_an_expression(wanted: Filter, fits: bool) -> None:
    assert wanted.fits(MAIL) is fits
    assert (wanted.why_not(MAIL) == []) is fits


def test_the_null_sender_is_the_empty_text() -> None:
    null = Mail([], "", "", "", never)
    assert Filter.of(sender="=").fits(null)
    assert Filter.of(subject="=").fits(null)
    assert Filter.of(subject="*").fits(null)
    assert not Filter.of(to="*").fits(null)


def test_only_conditions_on_the_text_and_on_headers_need_the_message() -> None:
    mail = Mail(["bob@x.y"], "ann@x.y", "Hello", "Ann <ann@x.y>", never)
    assert Filter.of("bob", "~^ann", "=hello").fits(mail)
    assert not Filter.of("dan", body="code", header="X-Tag").fits(mail)  # the cheap conditions come first
    with pytest.raises(AssertionError):
        Filter.of(body="code").fits(mail)


def test_each_condition_that_does_not_fit_has_its_reason() -> None:
    wanted = Filter.of("dan@x.y", "~^zoe", "Hello", "missing text", ["X-Tag: third", "X-Other: 1"])
    assert wanted.why_not(MAIL) == [
        "to: 'Bob@Example.com', 'carol@x.y' does not fit 'dan@x.y'",
        "from: 'Ann@b.c', 'Shop@b.c', 'The Shop <Shop@b.c>' does not fit '~^zoe'",
        "subject: 'Grüße: 2 * 3 STRASSE' does not fit 'Hello'",
        "header X-Tag: 'welcome', 'second  one' does not fit 'third'",
        "header X-Other: the mail has none",
        "body: its text does not fit 'missing text'",
    ]
    long = Mail([f"{'x' * 200}@{n}" for n in range(100)], "", "", "", never)
    (reason,) = Filter.of("dan").why_not(long)
    assert reason.endswith("… and 96 more does not fit 'dan'") or len(reason) < 500


@pytest.mark.parametrize(
    ("name", "conditions", "reason"),
    [
        ("subject", {"subject": "~(a"}, "is not a regular expression of RE2: missing ): (a"),
        ("from", {"sender": r"~(a)\1"}, "invalid escape sequence"),
        ("body", {"body": "~(?:[a-z]{500}){2}"}, "RE2"),
        ("to", {"to": "x" * (MAX_WANTED + 1)}, "1001 characters"),
        ("header", {"header": "no name: x"}, "it is `Name: value`"),
        ("header", {"header": ""}, "it is `Name: value`"),
        ("header", {"header": ["X"] * (MAX_HEADERS + 1)}, "at most 20"),
        ("header X", {"header": "X: ~["}, "missing ]"),
    ],
)
def test_a_wrong_condition_is_named_in_one_sentence(name: str, conditions: dict[str, str], reason: str) -> None:
    with pytest.raises(FilterError) as caught:
        Filter.of(**conditions)
    assert caught.value.name == name
    assert str(caught.value).startswith(f"{name} ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_hostile_text_is_compared_and_searched_as_far_as_the_bound() -> None:
    hostile = "a" * 300_000 + "\ud800 end"
    mail = Mail([hostile], hostile, hostile, hostile, never)
    assert not Filter.of(subject="~(a+)+$b").fits(mail)  # exponential for a backtracking engine
    assert not Filter.of(subject="~end").fits(mail)
    assert not Filter.of(subject="end").fits(mail)
    assert Wanted("~\ud800|x").fits("x")
    assert Wanted("~end").fits("a" * (SEARCHED - 3) + "end")
    assert Wanted("~(x?){99}x{99}|end").fits("a" * 9000 + "end")
    assert not Wanted("~(x?){99}x{99}|end").fits("a" * (SEARCHED - 3) + "end")  # a large program reads less


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_it_says_what_a_regular_expression_says(wanted: str, text: str) -> None:
    expression = ".*".join(map(re.escape, wanted.split("*")))
    assert Wanted(f"={wanted}").fits(text) is (re.fullmatch(expression, text) is not None)
    assert Wanted(wanted, whole=True).fits(text) is (re.fullmatch(expression, text) is not None)
    assert Wanted(wanted).fits(text) is (re.search(expression, text) is not None)
    assert Wanted(f"~{expression}").fits(text) is (re.search(expression, text) is not None)


def test_without_google_re2_an_expression_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(FilterError, match=re.escape("pip install 'rrpy[re2]'")):
        Filter.of(subject="~order")
