from __future__ import annotations

import pytest
from support.linear import repeated, superlinear

from rrpy.mime.html_text import MAX_HTML, text_of


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain", "plain"),
        ("<p>One <b>two</b>\r\n three</p><p>four<br>five</p>", "One two three\n\nfour\nfive"),
        ("<div>a</div> <div>b</div><div><div>c</div></div>", "a\nb\nc"),
        ("<h1>Hi</h1>there", "Hi\n\nthere"),
        ("<ul><li>a</li><li><b>b</b></ul>c", "- a\n- b\n\nc"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>3</table>", "1 2\n3"),
        ("a&nbsp;&amp;&lt;b&gt; &euro; &#8364; &#x20ac;", "a &<b> € € €"),
        ('<img src=x alt="A picture"> of <img>', "A picture of"),
        ("<title>t</title><style>p{}</style>a<script>if (1 < 2) b</script><!-- c > d -->e", "ae"),
        ("<p title='a>b' class=x\">c</p>", "c"),
        ("1 < 2, <3 and a<b", "1 < 2, <3 and a"),
        ("</p><//><?x?><!doctype html>a", "a"),
        ("<pre>a\nb</pre>", "a b"),
        ("a<script>b", "a"),
        ("<!-- a", ""),
        ("<p", ""),
        ("", ""),
        ("a\0b", "ab"),
        ("<div>" * 3000 + "deep" + "</div>" * 3000, "deep"),
    ],
)
def test_the_words_stay_in_lines(source: str, expected: str) -> None:
    assert text_of(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('<a href="https://x.y/?a=1&amp;b=2">Confirm</a>.', "Confirm [https://x.y/?a=1&b=2]."),
        ("<a class=b href='https://x.y'>https://x.y</a>", "https://x.y"),
        ("<a href=https://x.y>x.y</a>", "x.y"),
        ('<a href="mailto:a@x.y">a@x.y</a> <a href="mailto:a@x.y">Ann</a>', "a@x.y Ann [mailto:a@x.y]"),
        ('<a href="javascript:x()">a</a><a href="#b">b</a><a>c</a>', "abc"),
        ('<a href="https://x.y"><img src=x></a>', "https://x.y"),
        ("<a href=https://x.y>a<a href=https://z.z>b", "a [https://x.y]b [https://z.z]"),
        ('<a title="href=https://evil.z" href="https://x.y">a</a>', "a [https://x.y]"),
        ('<a href="https://x.y/?a=&amp;amp;lt;">a</a>', "a [https://x.y/?a=&amp;lt;]"),
    ],
)
def test_a_link_has_its_target(source: str, expected: str) -> None:
    assert text_of(source) == expected


def test_the_html_that_is_read_is_bounded() -> None:
    assert text_of("a" * MAX_HTML + "b") == "a" * MAX_HTML


def test_the_text_of_a_table_is_not_larger_than_its_html() -> None:
    """A library that aligns columns made 160 MB of 160 KB."""
    source = f"<table><tr><td>{'x' * 40000}</td></tr>{'<tr><td>a</td><td>b</td></tr>' * 4000}</table>"
    assert len(text_of(source)) < len(source)


def test_any_html_is_read_in_linear_time() -> None:
    assert superlinear(text_of, repeated()) == []
