"""The links of a mail: which there are, of which kind, and the one that fits."""

from __future__ import annotations

import pytest

from rrpy.mime.extract.links import MAX_LINKS, Link, LinkError, is_pixel, link_of, links_of
from rrpy.mime.matching import FilterError
from rrpy.mime.message import parse

HTML = """<p>Hi, <a href="https://app.example/reset?t=1&amp;u=2" rel="nofollow">Reset <b>your</b>
password</a> or <a href="https://help.example/">get help</a>.</p>
<a href="https://app.example/"><img src="https://cdn.example/logo.png" alt="The App" width="120"></a>
<a href="javascript:alert(1)">no</a><a href="#top">top</a><a>none</a><a href="/relative">relative</a>
<map><area href="//maps.example/x" alt="Map"></map>
<img src="https://t.example/o/1.gif" width="1" height="1"><img src="https://t.example/track/open?id=1">
<img src="https://cdn.example/photo.jpg"><img src="cid:x" width="1">
<a href="https://app.example/prefs?id=1">Unsubscribe</a> <a href="mailto:help@app.example">Write"""
RAW = (
    "Subject: x\nList-Unsubscribe: <https://app.example/u/1>, <mailto:stop@app.example?subject=stop>\n"
    "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\n"
    "Reset your password: https://app.example/reset?t=1&u=2\nGet help\n  (https://help.example/)\n"
    "or www.example.org/a_(b). To opt out: https://app.example/prefs?id=1\n"
    f"--b\nContent-Type: text/html\n\n{HTML}\n--b--\n"
).encode()
MAIL = parse(RAW)


def test_the_links_come_once_each_with_their_words_their_kind_and_their_source() -> None:
    assert [(link.href, link.text, link.kind, link.source) for link in links_of(MAIL)] == [
        ("https://app.example/reset?t=1&u=2", "Reset your password", "link", "html"),
        ("https://help.example/", "get help", "link", "html"),
        ("https://app.example/", "The App", "link", "html"),
        ("https://maps.example/x", "Map", "link", "html"),
        ("https://t.example/o/1.gif", "", "pixel", "html"),
        ("https://t.example/track/open?id=1", "", "pixel", "html"),
        ("https://app.example/prefs?id=1", "Unsubscribe", "unsubscribe", "html"),
        ("mailto:help@app.example", "Write", "link", "html"),
        ("https://www.example.org/a_(b)", "or", "link", "text"),
        ("https://app.example/u/1", "", "unsubscribe", "header"),
        ("mailto:stop@app.example?subject=stop", "", "unsubscribe", "header"),
    ]
    assert links_of(MAIL)[0].rel == "nofollow"


def test_a_link_of_a_text_has_the_words_before_it() -> None:
    mail = parse(
        b"Subject: x\n\nConfirm your address:\n\n  <https://a.example/1>\n\nOr see https://b.example.\n\nhttp://\n"
    )
    assert [(link.text, link.href) for link in links_of(mail)] == [
        ("Confirm your address", "https://a.example/1"),
        ("Or see", "https://b.example"),
    ]


@pytest.mark.parametrize(
    ("conditions", "href"),
    [
        ({"text": "reset"}, "https://app.example/reset?t=1&u=2"),
        ({"text": "=get HELP"}, "https://help.example/"),
        ({"text": "~^the app$"}, "https://app.example/"),
        ({"host": "help.example"}, "https://help.example/"),
        ({"host": "maps.*"}, "https://maps.example/x"),
        ({"pattern": r"reset\?t=\d"}, "https://app.example/reset?t=1&u=2"),
        ({"text": "unsub"}, "https://app.example/prefs?id=1"),
        ({"host": "app.example", "text": "reset"}, "https://app.example/reset?t=1&u=2"),
    ],
)
def test_the_one_link_that_fits_is_returned(conditions: dict[str, str], href: str) -> None:
    link = link_of(MAIL, **conditions)
    assert (link.href, str(link)) == (href, href)


def test_no_link_and_several_links_are_errors_that_list_them() -> None:
    with pytest.raises(LinkError) as none:
        link_of(MAIL, host="elp.example")
    assert str(none.value).startswith(
        "no link with host='elp.example'; the links are:\n  https://app.example/reset?t=1"
    )
    assert "https://t.example/o/1.gif |  (pixel)" in str(none.value)
    with pytest.raises(LinkError) as several:
        link_of(MAIL, host="app.example")
    assert str(several.value).splitlines() == [
        "2 links fit where one is wanted: link with host='app.example'; they are:",
        "  https://app.example/reset?t=1&u=2 | Reset your password",
        "  https://app.example/ | The App",
    ]
    with pytest.raises(LinkError, match="the mail has no links"):
        link_of(parse(b"Subject: x\n\nhi\n"))
    with pytest.raises(FilterError, match="pattern is not a regular expression"):
        link_of(MAIL, pattern="(")


def test_without_a_condition_the_one_link_to_a_host_is_meant() -> None:
    head = b"List-Unsubscribe: <https://a.example/u>\nContent-Type: text/html\n\n"
    body = b'<a href="https://a.example/1">Go</a> <a href="mailto:x@a.example">Write</a> <a href="tel:1">Call</a>'
    assert link_of(parse(head + body)).href == "https://a.example/1"
    assert link_of(parse(head + body), text="write").href == "mailto:x@a.example"


def test_the_host_of_a_broken_address_is_empty() -> None:
    assert [Link(href).host for href in ("https://A.example:8/x", "mailto:a@b.c", "https://[", "//")] == [
        "a.example", "", "", "",
    ]  # fmt: skip


def test_a_mail_with_many_links_gives_the_first_ones() -> None:
    many = "".join(f"<a href=https://a.example/{number}>x</a>" for number in range(MAX_LINKS + 5))
    assert len(links_of(parse(f"Content-Type: text/html\n\n{many}".encode()))) == MAX_LINKS


def test_an_expression_that_is_too_large_for_all_links_is_refused() -> None:
    """One of a thousand instructions took 20 s for a thousand links, in a turn that other readers waited for."""
    many = "".join(f"<a href=https://a.example/{number}/{'a' * 100}>x</a>" for number in range(500))
    mail = parse(f"Content-Type: text/html\n\n{many}".encode())
    assert link_of(mail, pattern="/77/").href.startswith("https://a.example/77/")
    with pytest.raises(FilterError, match="pattern is an expression that is too large for all links of this mail"):
        link_of(mail, pattern="(a?){200}a{200}z")


@pytest.mark.parametrize("style", ["border-width: 1px", "line-height:1px", "max-width: 1px", "min-height:0px"])
def test_a_style_that_is_not_its_size_does_not_make_an_image_a_pixel(style: str) -> None:
    """A thin border made a logo a tracking pixel."""
    assert not is_pixel("https://shop.example/logo.png", {"style": style})
    assert is_pixel("https://shop.example/logo.png", {"style": f"{style}; width:1px"})
