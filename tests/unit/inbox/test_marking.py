"""The marks of a search's hits in the page of a mail's HTML."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inbox.html import safe_html
from support.linear import repeated, superlinear

from rrpy.inbox.store.query import parse
from rrpy.inbox.web import marking
from rrpy.inbox.web.marking import BEGIN, END, Marker


def marked(text: str, *hits: str) -> str:
    """Return a page of a mail's HTML, with `[` and `]` around its marks."""
    page = safe_html(text, {}, hits=hits).partition('content="light">\n')[2]
    return page.replace(BEGIN, "[").replace(END, "]")


@pytest.mark.parametrize(
    ("text", "hits", "expected"),
    [
        ("<p title=order>Your Order, order</p>", ["order"], '<p title="order">Your [Order], [order]</p>'),
        ("Gr&uuml;&szlig;e Gr\u00fc\u00dfe Gru\u0308sse", ["grusse"],
         "[Gr&uuml;&szlig;e] [Gr\u00fc\u00dfe] [Gru\u0308sse]"),
        ("Stra\u00dfe au\u0301", ["s", "u"], "[S]tra[\u00df]e a[u\u0301]"),
        ("your\n &nbsp; order", ["your order"], "[your\n &nbsp; order]"),
        ("orders", ["order", "ders", "s"], "[orders]"),
        ("a &amp; b &ampx c", ["amp", "x"], "a &amp; b [&ampx] c"),
        ("a &lt;b> < c", ["<"], "a [&lt;]b> &lt; c"),
        ("<style>order {}</style><!-- order --><script>order</script><title>order</title>", ["order"],
         "<style>order {}</style>"),
        ("<svg><text>order</text></svg> or<b>der</b>", ["svg", "order"], None),
        ("<img alt=order><a href=https://order.test/>order</a>", ["order"],
         '<img alt="order" src=""><a href="https://order.test/" target="_blank" rel="noopener noreferrer">[order]</a>'),
        ("<pre>\norder</pre>", ["order"], "<pre>\n[order]</pre>"),
        ("order", [], "order"),
        ("order", [""], "order"),
    ],
)  # fmt: skip
def test_hits_are_marked_in_the_text_and_nowhere_else(text: str, hits: list[str], expected: str | None) -> None:
    found = marked(text, *hits)
    assert found == expected or (expected is None and "[" not in found)


@given(st.text("<>&;#a\u00df\u0301 \n\"'=/!-"), st.lists(st.text("a<&; s\u00df", min_size=1), max_size=3))
def test_a_page_without_its_marks_is_the_page_without_a_search(text: str, hits: list[str]) -> None:
    page = safe_html(text, {}, hits=[hit for each in hits for hit in parse(each.replace(":", "")).hits])
    assert page.replace(BEGIN, "").replace(END, "") == safe_html(text, {})
    assert re.fullmatch(rf"(?s:(?!{BEGIN}|{END}).|{BEGIN}(?:(?!{BEGIN}|{END}|<).)+{END})*", page)


def test_marks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marking, "MAX_MARKS", 3)
    assert marked("<p>a a</p>a a a a", "a") == "<p>[a] [a]</p>[a] a a a"
    assert marked("<p>a a</p>a b a", "a", "b") == "<p>[a] [a]</p>[a] b a"
    monkeypatch.setattr(marking, "MAX_TEXT", 4)
    assert marked("a b<p>a</p>a", "a") == "[a] b<p>[a]</p>a"


@pytest.mark.usefixtures("untraced")
def test_marking_takes_time_in_proportion_to_the_text() -> None:
    hits = ["a", " a", "&", "a a a", "<b", "\u0301", "aaaaaaaaaab"]
    assert superlinear(lambda text: Marker(hits).mark(text), repeated(), longest=16 * 1024) == []


def test_many_hits_in_many_short_texts_take_little_time() -> None:
    """Each hit was looked for in each text by itself: 128 of them took 20 seconds for a mail of many tags."""
    hits = [f"a{chr(0x4E00 + number)}" for number in range(marking.MAX_HITS + 1)]
    began = time.process_time()
    assert marked("<b>a" * 60_000, *hits) == "<b>a" * 60_000
    assert time.process_time() - began < 5  # it takes half a second
    assert marked(f"a{hits[0]} {hits[-2]} a", *hits) == f"a[{hits[0]}] [{hits[-2]}] a"
