from __future__ import annotations

import pytest

from rrpy.container.text import printable, size_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ü x", "ü x"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\u202e", r"\u202e"),
        ("\ud800", r"\ud800"),
        ("", ""),
    ],
)
def test_every_character_that_does_not_print_is_escaped(text, shown):
    assert printable(text) == shown
    assert printable(text).isprintable()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (31, "31 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (1500, "1.5 KB"),
        (9949, "9.9 KB"),
        (9950, "10 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (13_017_088, "13 MB"),
        (999_700_000, "1.0 GB"),
        (1_250_000_000, "1.2 GB"),
        (5_000_000_000_000, "5,000 GB"),
    ],
)
def test_a_size_has_two_digits_or_more_in_the_unit_that_keeps_it_short(size, text):
    assert size_text(size) == text
