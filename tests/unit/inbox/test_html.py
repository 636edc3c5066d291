"""A mail's HTML, written anew: what stays, what goes, and in which time."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inbox.html import safe_html

from rrpy.inbox import html
from rrpy.inbox.html import Image


def shown(text: str, images: dict[str, Image] | None = None) -> str:
    return safe_html(text, images or {}).partition("\n")[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a < b & c > d &amp; &lt;", "a &lt; b & c > d &amp; &lt;"),
        ('<P CLASS=a style=\'color:red\' onclick="x()">hi</P>', '<p class="a" style="color:red">hi</p>'),
        ("<b title='\"<>&amp;'>x</b>", '<b title="&quot;&lt;&gt;&amp;">x</b>'),
        ("<b a=1 a=2 id=1 id=2>x", '<b id="1">x'),
        ("<table bgcolor=red><tr><td colspan=2>x", '<table bgcolor="red"><tr><td colspan="2">x'),
        ("x<script>alert(1)</script>y<SCRIPT >z</scripty></script\n a='>'>w", "xyw"),
        ("x<script>never ends", "x"),
        ("x<!-- <b> -->y<!--> z<!-- --!> -->", "xy z"),
        ("x<!-- never ends <b>", "x"),
        ("x<!doctype html><?php y ?><![if !mso]>z</ w><![endif]>", "xz"),
        ("x<! never ends", "x"),
        ("x<", "x&lt;"),
        ("<b", "<b>"),
        ("<b id='never ends>x", '<b id="">x'),
        ("<div/id=a/b/>x", '<div id="a/b/">x'),
        ("<unknown>x</unknown><form><input name=x><button>go</button></form>", "xgo"),
        ("<svg><style>@import 'x'</style><a>y</a></svg>", "<style>@import 'x'</style><a>y</a>"),
        ("<style media=print>a<b{}</style>", r'<style media="print">a\3c b{}</style>'),
        ("<style></style/x><style>never <b>", r"<style></style><style>never \3c b></style>"),
        ("<a href='https://x.y/?a=1&amp;b'>x</a>",
         '<a href="https://x.y/?a=1&amp;b" target="_blank" rel="noopener noreferrer">x</a>'),
        ("<a href='MAILTO:x'>x", '<a href="MAILTO:x" target="_blank" rel="noopener noreferrer">x'),
        ("<a href='#top' target=_top>x", "<a>x"),
        ("<a href='javascript:x'>x", "<a>x"),
        ("<a href=' java\nscript:x'>x", "<a>x"),
        ("<a href='&#106;avascript&colon;x'>x", "<a>x"),
        ("<a href='data:text/html,x'>x", "<a>x"),
        ("<a href='//x.y/'>x", "<a>x"),
        ("<img src=https://x.y/z alt=z width=5>", '<img alt="z" width="5" src="">'),
        ("<img src='data:image/png;base64,AA==' srcset=x>", '<img src="data:image/png;base64,AA==">'),
        ("<img src='data:text/html,x'>", '<img src="">'),
        ("<body background=https://x.y/z text=red>", '<body text="red">'),
        ("<b\x00>x\x00</b>", "<b>x</b>"),
    ],
)  # fmt: skip
def test_what_is_on_the_lists_is_written_anew_and_nothing_else(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_images_of_the_mail_are_put_in_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def image(name: str, size: int, kind: str = "image/png") -> Image:
        return Image(kind, size, lambda: (asked.append(name), b"\x00")[1])

    images = {"a@b": image("a", 1), "large": image("large", 99), "text": image("text", 1, "text/html")}
    data = "data:image/png;base64,AA=="
    assert shown("<img src='cid:a@b'><img src='CID:a@b'>", images) == f'<img src="{data}">' * 2
    assert asked == ["a"], "decoded once"
    assert shown("<img src=cid:text><img src=cid:none>", images) == '<img src="">' * 2
    assert shown("<td background='cid:a@b'>", images) == f'<td background="{data}">'
    assert shown("<p style=\"background: url('cid:a@b')\">", images) == (
        f'<p style="background: url(&quot;{data}&quot;)">'
    )
    assert shown("<style>p { background: URL(cid:a@b) }</style>", images) == (
        f'<style>p {{ background: url("{data}") }}</style>'
    )
    monkeypatch.setattr(html, "MAX_EMBEDDED", 100)
    assert shown("<img src=cid:large><img src=cid:a@b><img src=cid:a@b>", images).count("AA==") == 2


TAGS = st.sampled_from(
    ["<", ">", "</", "<!--", "-->", "<b>", "</b>", "<script>", "</script>", "<style>", "</style>", "<a href='", '"',
     "'", "=", " ", "/", "<img src=", "onerror=x", "<!", "<?", "<svg>", "<textarea>", "</textarea>", "&lt;", "&#60;",
     "x", "javascript:", "style=", "<select>", "<xmp>", "<p title=", "cid:a", "url(", ")"]
)  # fmt: skip


class Reader(HTMLParser):
    """What a reader of tags sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.seen: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, attrs))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


@given(st.lists(TAGS | st.text(max_size=3), max_size=30).map("".join))
def test_whatever_comes_only_what_is_on_the_lists_goes_out(text: str) -> None:
    out = shown(text)
    assert re.fullmatch(r'(?:[^<]|</?[a-z0-9]+(?: [a-z]+="[^"<>]*")*>)*', out), out
    reader = Reader()
    reader.feed(out)
    for tag, attributes in reader.seen:
        assert tag in html.TAGS
        for name, value in attributes:
            assert name in html.ATTRIBUTES | {"href", "target", "rel", "src", "background"}
            assert not name.startswith("on")
            if name == "href":
                assert re.match("(?i)https?:|mailto:|tel:", value or "")
            if name in ("src", "background"):
                assert not value or value.startswith("data:image/")
    assert shown(out) == out, "what was written is read as it was written"


@pytest.mark.parametrize(
    "piece",
    ["<div>", "<b", "<", "</", "<!--", "<a x='", '<a x="', "<script>", "<style>", "<p a b c d e=1 ", "&lt;", "<a ",
     " ", "<style>url(cid:", "url(", "<a href=", "<x/", "=", "<img src=cid:x>", "</script"],
)  # fmt: skip
def test_the_time_is_in_proportion_to_the_length(piece: str) -> None:
    def took(count: int) -> float:
        began = time.process_time()
        shown(f"<p {piece * count}")
        shown(piece * count)
        return time.process_time() - began

    assert took(80_000) < max(40 * took(8_000), 2.0)
