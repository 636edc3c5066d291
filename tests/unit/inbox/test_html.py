"""A mail's HTML, written anew: what stays, what goes, and in which time."""

from __future__ import annotations

import base64
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.inbox.html import safe_html
from support.mime.mails import leaf, multipart

from rrpy.inbox.web import html
from rrpy.inbox.web import images as images_module
from rrpy.inbox.web.html import REMOTE_POLICY, Blocked, Rewriter
from rrpy.inbox.web.images import Image, shown_images
from rrpy.mime.message import parse
from rrpy.mime.references import find, sources


def shown(text: str, images: dict[str, Image] | None = None) -> str:
    return safe_html(text, images or {}).partition('content="light">\n')[2]


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
        ("<svg><style>@import 'x'</style><a>y</a>", "<style>@import 'x'</style><a>y</a>"),
        ("<html x=1><body topmargin=0 onload=x>", '<html><body topmargin="0">'),
        ("<map name=m><area href='#x' coords=1 shape=rect></map><img usemap='#m' name=n>",
         '<map name="m"><area coords="1" shape="rect" href="#x"></map><img usemap="#m" src="">'),
        ("<style media=print>a<b{}</style>", r'<style media="print">a\3c b{}</style>'),
        ("<style></style/x><style>never <b>", r"<style></style><style>never \3c b></style>"),
        ("<a href='https://x.y/?a=1&amp;b'>x</a>",
         '<a href="https://x.y/?a=1&amp;b" target="_blank" rel="noopener noreferrer">x</a>'),
        ("<a href='MAILTO:x'>x", '<a href="MAILTO:x" target="_blank" rel="noopener noreferrer">x'),
        ("<a href='#top' target=_top>x</a><a name=top>", '<a href="#top">x</a><a name="top">'),
        ("<a href=page.html>x<a href=/api/v1/messages>x<a href='?x'>x", "<a>x<a>x<a>x"),
        ("<a href='my-app:a'>x", '<a href="my-app:a" target="_blank" rel="noopener noreferrer" title="my-app:a">x'),
        ("<a href='sms:+49' title=y>x", '<a title="y" href="sms:+49" target="_blank" rel="noopener noreferrer">x'),
        ("<a href='VBScript:x'>x<a href='file:///etc/passwd'>x<a href='blob:x'>x<a href='view-source:x'>x",
         "<a>x<a>x<a>x<a>x"),
        ("<a href='javascript:x'>x", "<a>x"),
        ("<a href=' java\nscript:x'>x", "<a>x"),
        ("<a href='&#106;avascript&colon;x'>x", "<a>x"),
        ("<a href='data:text/html,x'>x", "<a>x"),
        ("<a href='//x.y/'>x", '<a href="//x.y/" target="_blank" rel="noopener noreferrer">x'),
        ("<img src=https://x.y/z alt=z>", '<img alt="z" src="">'),
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
    monkeypatch.setattr(images_module, "MAX_EMBEDDED", 100)
    assert shown("<img src=cid:large><img src=cid:a@b><img src=cid:a@b>", images).count("AA==") == 2


PNG = b"\x89PNG\r\n\x1a\n"
SVG = '<svg width="9" viewBox="0 0 1 1" onload="x()"><svg><path d="M0 0"/></svg><script>alert(1)</script></svg>'


def encoded(url: str) -> bytes:
    return base64.b64decode(re.search('base64,([^"]*)', url)[1])  # type: ignore[index]


@pytest.mark.parametrize("source", ["cid:logo%40example.org", "cid:<logo@example.org>", "cid:a.png", "a%20b.png"])
def test_an_image_is_found_by_each_of_its_names_and_whatever_its_type(source: str) -> None:
    image = Image("application/octet-stream", 8, lambda: PNG)
    images = dict.fromkeys(("logo@example.org", "a.png", "a%20b.png"), image)
    assert shown(f"<img src='{source}'>", images) == '<img src="data:image/png;base64,iVBORw0KGgo=">'


def test_bytes_that_are_not_an_image_are_not_shown() -> None:
    kind = Image('image/png;x"<', 4, lambda: b"text")
    assert shown("<img src=cid:x>", {"x": kind}) == '<img src="">'


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "png"),
        (b"GIF89a", "gif"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"RIFF\0\0\0\0WEBP", "webp"),
        (b"\0\0\0\x1cftypavif", "avif"),
        (b"<?xml version='1.0'?>\n<!-- x -->\n<svg xmlns='y'>", "svg+xml"),
        (b"<html><svg>", ""),
        (b"%PDF-", ""),
    ],
)
def test_an_image_is_known_by_its_first_bytes(content: bytes, kind: str) -> None:
    assert images_module.sniffed(content) == (f"image/{kind}" if kind else "")


def test_inline_svg_is_an_image() -> None:
    out = shown(f"a{SVG}b")
    assert re.fullmatch('a<img width="9" alt="" src="data:image/svg\\+xml;base64,[^"]*">b', out)
    assert encoded(out) == SVG.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1).encode()
    assert encoded(shown("<svg XMLNS='x'/>")) == b"<svg XMLNS='x'/>"


def test_a_page_has_the_doctype_of_its_mail_or_none() -> None:
    transitional = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1">'
    assert safe_html(f"\n<!-- x -->{transitional}<p>", {}).startswith(f"{transitional}<meta ")
    for text in ("<p>x", "x<!doctype html>", "<p><!doctype html>", f"<!doctype {'x' * 300}>", "<!doctype html"):
        assert safe_html(text, {}).startswith("<meta "), text


def test_a_remote_image_that_declares_its_size_is_a_box() -> None:
    for size in ('width="5"', 'height="5"', 'style="width: 5px"'):
        out = shown(f"<img src=https://x.y/z alt='a<b' {size}>")
        assert re.search(' src="data:image/svg%2Bxml,|data:image/svg\\+xml,', out), out
        assert "a%26lt%3Bb" in out


REMOTE = """
<link rel="stylesheet" href="https://x.y/c"><style>@import "https://x.y/i"; p { background: url(//x.y/p) }
@font-face { src: url("https://x.y/f.woff2?a") }</style>
<script>1</script><form><p style="background: url('https://x.y/q')"><img src="https://x.y/z"><td background="//x.y/t">
</form><iframe src="x"></iframe><object></object><video></video><img src="cid:x"><img src="https://x.y/own">
"""


def test_what_is_left_out_is_counted() -> None:
    image = Image("image/png", 1, lambda: b"x")
    rewriter = Rewriter(REMOTE, {"x": image, "https://x.y/own": image})
    while not rewriter.work():
        pass
    assert rewriter.blocked == Blocked(images=4, styles=3, scripts=1, forms=1, frames=2, media=1)


def test_remote_images_stay_where_the_reader_asks_for_them() -> None:
    rewriter = Rewriter(REMOTE, {}, remote=True)
    while not rewriter.work():
        pass
    page = rewriter.page().decode()
    for source in ('src="https://x.y/z"', 'background="//x.y/t"', "url(//x.y/p)", 'src="https://x.y/own"'):
        assert source in page
    assert rewriter.blocked.images == 0
    assert "img-src data: https: http:;" in REMOTE_POLICY
    assert html.POLICY.replace("img-src data:", "img-src data: https: http:") == REMOTE_POLICY


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
            assert name in html.ATTRIBUTES | {"href", "name", "target", "rel", "src", "background"}
            assert not name.startswith("on")
            if name == "href":
                assert re.match("#|//|[A-Za-z][a-zA-Z0-9+.-]*:", value or "")
                assert not re.match("(?i)(javascript|data|vbscript):", value or "")
            if name in ("src", "background"):
                assert not value or value.startswith("data:image/")
    assert shown(out) == out, "what was written is read as it was written"


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(
    "piece",
    ["<div>", "<b", "<", "</", "<!--", "<a x='", '<a x="', "<script>", "<style>", "<p a b c d e=1 ", "&lt;", "<a ",
     " ", "<style>url(cid:", "url(", "<a href=", "<x/", "=", "<img src=cid:x>", "</script",
     "<svg>", "<svg ", "<svg></svg>", "</svg>", "<!doctype "],
)  # fmt: skip
def test_the_time_is_in_proportion_to_the_length(piece: str) -> None:
    def took(count: int) -> float:
        began = time.process_time()
        shown(f"<p {piece * count}")
        shown(piece * count)
        return time.process_time() - began

    assert took(80_000) < max(40 * took(8_000), 2.0)


ASKED = "prefers-color-scheme: dark"
DARK = f"@media ({ASKED}) {{ p {{ color: red }} }}"


@pytest.mark.parametrize(
    ("given", "light", "dark"),
    [
        (DARK, DARK.replace(ASKED, "max-width: 0"), DARK.replace(ASKED, "min-width: 0")),
        ("@media not (PREFERS-color-scheme:light){}", "@media not (min-width: 0){}", "@media not (max-width: 0){}"),
        (":root { color-scheme: light dark; }", ":root { color-scheme: light; }", ":root { color-scheme: dark; }"),
        (":root{color-scheme:only light}", ":root{color-scheme:only light}", ":root{color-scheme:only light}"),
        (":root{color-scheme:dark}", ":root{color-scheme:dark}", ":root{color-scheme: dark}"),
        ("p{--my-color-scheme: light dark}",) * 3,
    ],
)  # fmt: skip
def test_a_page_has_the_scheme_that_its_reader_chose(given: str, light: str, dark: str) -> None:
    for scheme, wanted in (("light", light), ("dark", dark)):
        page = safe_html(f"<style>{given}</style>", {}, scheme=scheme)
        assert f'<meta name="color-scheme" content="{scheme}">' in page
        assert f"<style>{wanted}</style>" in page
    page = safe_html('<style media="(prefers-color-scheme: dark)">p{}</style>', {}, scheme="dark")
    assert '<style media="(min-width: 0)">' in page


def test_the_page_shows_a_part_only_if_it_is_related() -> None:
    """The list counted such a part as an attachment, and the page showed it as a picture."""
    hidden = b'<img alt="<!--" src=a.png> --> <img src=cid:b@c>'  # a browser shows both
    parts = [b"Content-Type: image/png\r\nContent-ID: <%b>\r\n\r\n%b" % (name, PNG) for name in (b"a.png", b"b@c")]
    message = parse(multipart(leaf(hidden, b"text/html"), *parts))
    assert [each.related for each in message.attachments] == [False, True]
    assert list(shown_images(message)) == ["b@c"]


PIECES = [
    *("<img src=cid:a@b>", "<IMG alt='>' src = 'CID:a%40b'>", "<td background=&#97;.png>", "<img src= a.png>"),
    *("<p style='background:url( \"a.png\" )'>", "<style>p{background:url(cid:a@b)}</style>", "<a href=a.png>", "text"),
    *("<!--", "-->", "<!-->", "<title>", "</title>", "<script>", "</script >", "<svg>", "</svg>", "<", "<!x>"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("<svg><!--</svg><img src=cid:a@b>")  # the page took the end tag in the comment for the picture's
def test_every_picture_that_the_page_shows_is_a_source(text: str) -> None:
    images = {name: Image("image/png", 8, name.encode) for name in ("a@b", "a.png")}
    page = shown(text, images)
    pictures = {name for name in images if base64.b64encode(name.encode()).decode() in page}
    assert pictures <= {name for source in sources(text) for name in images if find({name: name}, source)}


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("<p title='", "a&amp;", "'>"),
        ("<p title='", "a", "'>"),
        ("<a href='https://", "a ", "'>"),
        ("<style>", "p{background:url(a.png)}", "</style>"),
        ("<p style='", "background:url(a.png);", "'>"),
        ("<img src='data:image/png;base64,", "a&", "'>"),
    ],
)
def test_a_long_value_is_cut(before: str, value: str, after: str) -> None:
    """18 MB of it held the interpreter for three seconds."""
    page = shown(before + value * (4 * html.MAX_VALUE // len(value)) + after + "end")
    assert page.endswith("end")
    assert len(page) < 8 * html.MAX_VALUE


def test_the_data_of_an_image_is_not_cut() -> None:
    image = '<img src="data:image/png;base64,' + "A" * (2 * html.MAX_VALUE) + '">'
    assert shown(image) == image


def test_a_slice_ends_with_so_many_characters() -> None:
    rewriter = Rewriter("<b>".join(["x" * (html.MAX_VALUE // 2)] * 8), {})
    slices = 1
    while not rewriter.work():
        slices += 1
    assert slices == 4


def test_an_svg_that_is_too_long_is_not_shown_and_the_next_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MAX_SVG", 100)
    page = shown(f"<svg>{'<path/>' * 20}</svg>and<svg></svg>")
    assert page.startswith("and<img")
