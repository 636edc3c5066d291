"""Flowed text: what goes on in the next line, and what does not."""

from __future__ import annotations

import pytest

from rrpy.mime.flowed import joined


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a", "a"),
        ("a\n", "a\n"),
        ("a \nb \nc\nd\n", "a b c\nd\n"),
        ("a \r\nb\r\n", "a b\r\n"),
        ("a \n\nb", "a \n\nb"),  # an empty line stands for itself
        ("a \n", "a \n"),
        ("  indented\n From x\n > y\n", " indented\nFrom x\n> y\n"),  # space-stuffing
        ("> a \n> b\n>c \n>> d \n>> e\n", "> a b\n> c \n>> d e\n"),
        (">a \nb\n", "> a \nb\n"),
        ("a \n-- \nname \nb\n", "a \n-- \nname b\n"),
        ("> a \n> -- \n> b\n", "> a \n> -- \n> b\n"),
        (">\n> \n", "> \n> \n"),
    ],
)
def test_a_line_with_a_blank_at_its_end_goes_on(text: str, expected: str) -> None:
    assert joined(text, False) == expected


def test_the_blank_may_be_no_text() -> None:
    assert joined("日 \n本 \n語\n> a \n> b\n-- \n", True) == "日本語\n> ab\n-- \n"
