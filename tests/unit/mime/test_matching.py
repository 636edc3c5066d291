"""Which message a test or a client of the inbox means."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrpy.mime.matching import Filter, Folded

MAIL = Folded.of(["Bob@Example.com", "carol@x.y"], "Ann@b.c", "Grüße: 2 * 3 STRASSE")


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Filter.of(), True),
        (Filter.of(to="bob@EXAMPLE.com"), True),
        (Filter.of(to="bob"), False),
        (Filter.of(to="*@example.com"), True),
        (Filter.of(to="*@example.org"), False),
        (Filter.of(sender="aNN@B.c"), True),
        (Filter.of(sender="nn@b.c"), False),
        (Filter.of(sender=""), False),
        (Filter.of(subject="grüsse: 2 * 3 straße"), True),
        (Filter.of(subject="Grüße"), False),
        (Filter.of(subject="Grüße*"), True),
        (Filter.of(subject="*2 * 3*"), True),
        (Filter.of(subject="*3*2*"), False),
        (Filter.of(subject="GRÜSSE*", to="*", sender="*"), True),
        (Filter.of(subject="GRÜSSE*", to="dan@x.y"), False),
        (Filter.of(subject=".*"), False),
    ],
    ids=repr,
)
def test_a_text_fits_whole_whatever_its_case_and_a_star_stands_for_any_text(wanted: Filter, fits: bool) -> None:
    assert wanted.fits(MAIL) is fits


def test_the_null_sender_is_the_empty_text() -> None:
    assert Filter.of(sender="").fits(Folded.of([], "", ""))
    assert Filter.of(subject="*").fits(Folded.of([], "", ""))
    assert not Filter.of(to="*").fits(Folded.of([], "", ""))


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_it_says_what_a_regular_expression_says(wanted: str, text: str) -> None:
    expression = ".*".join(map(re.escape, wanted.split("*")))
    assert Filter.of(subject=wanted).fits(Folded.of([], "", text)) is (re.fullmatch(expression, text) is not None)
