from __future__ import annotations

import pytest

from rrpy.container.text import printable


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
