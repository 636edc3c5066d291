"""The mailboxes of a mail: hostile names, and what names them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrpy.mime.mailboxes import DEFAULT, MAX_NAME, MailboxBy, mailbox_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Test-7", "test-7"),
        ("  a \t b\r\n", "a b"),
        ("a\x00b\x1b[31m", "a b [31m"),
        ("a\u202eb\u200bc", "a b c"),
        ("E\u0301", "é"),
        ("É", "é"),
        ("a\ud800", "a"),
        ("", DEFAULT),
        (" \x07 ", DEFAULT),
    ],
)
def test_one_name_stands_for_all_ways_to_write_it(text: str, name: str) -> None:
    assert mailbox_name(text) == name


@given(st.text(max_size=300) | st.text(min_size=900, max_size=1100) | st.text("aé\u0301 ", max_size=2000))
def test_a_name_is_bounded_printable_and_names_itself(text: str) -> None:
    name = mailbox_name(text)
    assert 0 < len(name) <= MAX_NAME
    assert name.isprintable()
    assert mailbox_name(name) == name


@pytest.mark.parametrize("length", [MAX_NAME, 999, 5000])
def test_two_long_texts_stay_two_names(length: int) -> None:
    assert mailbox_name("x" * length + "a") != mailbox_name("x" * length + "b")
    assert mailbox_name("X" * length + "a") == mailbox_name("x" * length + "A")


TO = ["Ann+One@a.example", "bob+two@B.example", "ann+one@a.example", "carl@b.example", "root"]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("none", ["default"]),
        ("username", ["ci 7"]),
        ("recipient", ["ann+one@a.example", "bob+two@b.example", "carl@b.example", "root"]),
        ("domain", ["a.example", "b.example", "default"]),
        ("plus", ["one", "two", "default"]),
        ("header:X-Test-Id", ["x-test-id"]),
    ],
)
def test_a_mail_stands_in_each_mailbox_once(by: str, names: list[str]) -> None:
    assert list(MailboxBy.parse(by).names("CI\t7", TO, lambda name: name)) == names


@pytest.mark.parametrize("by", ["username", "recipient", "domain", "plus", "header:x"])
def test_a_mail_that_names_no_mailbox_stands_in_the_default_one(by: str) -> None:
    assert list(MailboxBy.parse(by).names("", [], lambda _: "")) == [DEFAULT]


@pytest.mark.parametrize("text", ["", "user", "header", "header:", "header:a b", "header:ä", "none:", "plus:x", "None"])
def test_another_value_is_an_error_that_names_the_values(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not none, username, recipient, domain, plus or header:NAME"):
        MailboxBy.parse(text)
