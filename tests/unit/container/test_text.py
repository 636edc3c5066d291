from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.container.logs import HOSTILE

from rrpy.container.text import printable, printable_json

CONTROLS = ["\x1b[2J", "\x7f", "\x9b2J", "\x85", "\u2028", "\u202e", "\u2066", "\ufeff", "\ud800", "\U000e0041"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ü x", "ü x"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x7f\x9b", r"\x7f\x9b"),
        ("\u202e", r"\u202e"),
        ("\u2028", r"\u2028"),
        ("\ud800", r"\ud800"),
        ("", ""),
    ],
)
def test_every_character_that_does_not_print_is_escaped(text, shown):
    assert printable(text) == shown
    assert printable(text).isprintable()


@pytest.mark.parametrize("text", [*HOSTILE, *CONTROLS])
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_with_any_text_is_printable_and_means_the_same(text, indent, ascii_only):
    value = {f"key {text}": [f"a{text}b", {"ü": text}]}
    shown = printable_json(json.dumps(value, indent=indent, ensure_ascii=ascii_only))
    assert all(line.isprintable() for line in shown.split("\n"))
    assert json.loads(shown) == value
    assert printable_json(shown) == shown


@given(st.text(st.characters(exclude_categories=[])))
def test_no_text_gets_a_control_into_json(text):
    shown = printable_json(json.dumps(text, ensure_ascii=False))
    assert shown.isprintable()
    assert json.loads(shown) == text
