"""The fields of an attachment beside its name and its content."""

from __future__ import annotations

import tracemalloc
from base64 import encodebytes
from hashlib import sha256

import pytest
from support.linear import repeated, superlinear
from support.mime.mails import leaf, multipart

from rrpy.mime import encodings, html_text
from rrpy.mime.message import parse
from rrpy.mime.references import sources

PICTURE = leaf(b"picture", b"image/png", id=b"<a b@x>")


def test_the_parameters_of_the_type_are_decoded() -> None:
    kind = (
        b"text/calendar; CHARSET=utf-8; method=REQUEST; name*0*=utf-8''%e2%82; name*1*=%ac.ics; "
        b'q="=?utf-8?q?=C3=A4?="; a\0b=c; n=a\0b; \xff=d'
    )
    (attachment,) = parse(multipart(leaf(b"x", kind))).attachments
    assert attachment.parameters == {
        "charset": "utf-8",
        "method": "REQUEST",
        "name": "€.ics",
        "q": "ä",
        "n": "a b",
    }


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        (b"", ""),
        (b"INLINE", "inline"),
        (b"attachment; filename=a", "attachment"),
        (b"odd", "odd"),
        (b"a\0b", ""),
        (b"\x85", ""),
    ],
)
def test_the_disposition_is_as_declared(disposition: bytes, expected: str) -> None:
    (attachment,) = parse(multipart(leaf(b"x", b"a/b", disposition=disposition))).attachments
    assert attachment.disposition == expected


def test_the_description_is_decoded() -> None:
    raw = multipart(b"Content-Type: a/b\r\nContent-Description: =?utf-8?q?=C3=A4?= b\r\n\r\nx", leaf(b"y", b"a/b"))
    assert [each.description for each in parse(raw).attachments] == ["ä b", ""]


@pytest.mark.parametrize(("content", "encoding"), [(b"aGVsbG8=", b"base64"), (b"hello", b"7bit")])
def test_the_digest_is_that_of_the_content(content: bytes, encoding: bytes) -> None:
    (attachment,) = parse(multipart(leaf(content, b"a/b", encoding=encoding))).attachments
    assert attachment.sha256() == sha256(b"hello").hexdigest()


@pytest.mark.parametrize(
    ("charset", "content", "expected"),
    [
        (b"; charset=koi8-r", b"\xf0\xd2", "Пр"),
        (b"", "ä".encode(), "ä"),
        (b"; charset=utf-8", b"\xc3\xa4\xff", "ä\ufffd"),
    ],
)
def test_the_text_is_decoded_in_its_charset(charset: bytes, content: bytes, expected: str) -> None:
    (attachment,) = parse(multipart(leaf(content, b"text/csv" + charset))).attachments
    assert attachment.text() == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (b'<img src="cid:a b@x">', True),
        (b'<img src="CID:a%20b@x">', True),
        (b"<img src=cid:other>", False),
        (b"<div style='background:url(cid:a%20b@x)'>", True),
        (b"no picture", False),
    ],
)
def test_an_attachment_is_related_if_the_html_shows_it(html: bytes, expected: bool) -> None:
    (attachment,) = parse(multipart(leaf(html, b"text/html"), PICTURE)).attachments
    assert attachment.related is expected


def test_an_attachment_is_related_by_its_location_too() -> None:
    parts = [b"Content-Type: image/png\r\nContent-Location: %s\r\n\r\nx" % name for name in (b"a.png", b"b.png")]
    found = parse(multipart(leaf(b'<img src="a.png"><a href="b.png">', b"text/html"), *parts)).attachments
    assert [(each.content_location, each.related) for each in found] == [("a.png", True), ("b.png", False)]


@pytest.mark.parametrize(
    ("html", "kind", "expected"),
    [
        (b'<img src="a b.png">', b"image/png", True),
        (b"<IMG\nSRC = 'a%20b.png'>", b"application/octet-stream", True),
        (b"<td background='a b.png'>", b"image/png", True),
        (b"<p style='background: url(&quot;a b.png&quot;)'>", b"image/png", True),
        (b"<a href='a b.png'>", b"image/png", False),
        (b"<p data-src='a b.png'>", b"image/png", False),
        (b"<input src='a b.png'>", b"image/png", False),
        (b"<!--[if mso]><img src='a b.png'><![endif]-->", b"image/png", False),
        (b"<!--><img src='a b.png'>", b"image/png", True),
        (b"<title><img src='a b.png'></title>", b"image/png", False),
        (b"<TEXTAREA rows=1><img src='a b.png'>", b"image/png", False),
        (b"<script>'</scripts>'</script><img src='a b.png'>", b"image/png", True),
    ],
)
def test_a_picture_is_related_by_its_file_name_too(html: bytes, kind: bytes, expected: bool) -> None:
    part = leaf(b"\x89PNG\r\n\x1a\n", kind, disposition=b'attachment; filename="a b.png"')
    (attachment,) = parse(multipart(leaf(html, b"text/html"), part)).attachments
    assert (attachment.related, attachment.inline) == (expected, expected)


def test_a_file_that_is_not_a_picture_is_not_related_by_its_name() -> None:
    part = leaf(b"%PDF-1.7", b"application/pdf", disposition=b"attachment; filename=a.pdf")
    (attachment,) = parse(multipart(leaf(b"<img src=a.pdf>", b"text/html"), part)).attachments
    assert not attachment.related


def test_an_attachment_is_decoded_once_however_many_spellings_of_its_name_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was decoded for each: 1,000 spellings and 2 MB held up all mail of the inbox for 25 s."""
    decoded = []
    decode = encodings.decode_base64
    monkeypatch.setattr(encodings, "decode_base64", lambda *given: decoded.append(given) or decode(*given))
    html = b"".join(b"<img src=%s>" % name for name in (b"abc", b"%61bc", b"a%62c", b"%61%62c", b"ab%63", b"%61b%63"))
    part = leaf(b"eHh4", b"application/x", disposition=b"attachment; filename=abc", encoding=b"base64")
    (attachment,) = parse(multipart(leaf(html, b"text/html"), part)).attachments
    assert (attachment.related, len(decoded)) == (False, 1)


def test_a_source_may_have_a_reference_to_a_character_with_more_digits_than_python_takes() -> None:
    html = b'<img src="&#%s;&#97;">' % (b"1" * 5000)
    (attachment,) = parse(multipart(leaf(html, b"text/html"), PICTURE)).attachments
    assert not attachment.related


def test_the_text_of_attached_html_is_in_the_charset_of_its_meta() -> None:
    html = b"<meta charset=windows-1251>" + "Привет".encode("cp1251")
    (attachment,) = parse(multipart(leaf(html, b"text/html", disposition=b"attachment"))).attachments
    assert attachment.text().endswith("Привет")


def test_the_sum_of_a_large_attachment_does_not_hold_its_content() -> None:
    content = bytes(4 << 20)
    part = leaf(encodebytes(content), b"application/zip", encoding=b"base64")
    (attachment,) = parse(multipart(part)).attachments
    tracemalloc.start()
    try:
        assert attachment.sha256() == sha256(content).hexdigest()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("step", [1, 7, 50])
def test_names_are_found_whatever_the_size_of_a_step_is(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "<img src='a'><p style='background:url(c)'><img src=cid:d><img src=f>"
    html = shown.replace("<p", "<!-- <img src='b'> --><title>cid:e</title><p")
    monkeypatch.setattr(html_text, "STEP", step)
    assert sources(html) == {"a", "c", "cid:d", "f"}


def test_names_are_found_in_linear_time() -> None:
    assert superlinear(sources, repeated()) == []


def test_a_mail_of_html_alone_has_a_readable_text() -> None:
    assert parse(b"Content-Type: text/html\r\n\r\n<p>Hi <b>Ann</b>").text_from_html == "Hi Ann"
    assert parse(b"\r\nHi").text_from_html is None
    assert parse(b"").text_from_html is None
    both = parse(multipart(leaf(b"text"), leaf(b"<p>html", b"text/html")))
    assert both.text_from_html is None
