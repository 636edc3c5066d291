"""The structure of a message: what is a part, what is text, what is an attachment, and what a limit leaves."""

from __future__ import annotations

import base64

import pytest
from support.mime.mails import leaf, multipart

from rrpy.mime import walk as mime
from rrpy.mime.charsets import SLICE
from rrpy.mime.message import Message, parse

PDF = b"application/pdf"
HTML = b"text/html"


def listed(message: Message) -> list[tuple[str, bytes]]:
    return [(attachment.content_type, attachment.content()) for attachment in message.attachments]


def test_headers_are_grouped_under_the_name_first_written() -> None:
    message = parse(b"received: 1\r\nSubject: s\r\nReceived: 2\r\nX: =?utf-8?q?=C3=A4?=\r\nRECEIVED:\r\n\r\n")
    assert message.headers == {"received": ["1", "2", ""], "Subject": ["s"], "X": ["ä"]}
    assert list(message.headers) == ["received", "Subject", "X"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"<a@b>", "a@b"), (b" < a@b > x", "a@b"), (b"a@b", "a@b"), (b"<a@b", "a@b"), (b"", ""), (b"a <b> <c>", "b")],
)
def test_the_id_is_without_its_brackets(value: bytes, expected: str) -> None:
    assert parse(b"message-id: " + value + b"\r\n\r\n").id == expected


def test_the_first_subject_counts() -> None:
    message = parse(b"subject: a\r\nSubject: b\r\n\r\n")
    assert message.subject == "a"
    assert message.headers == {"subject": ["a", "b"]}


def test_a_line_of_a_mailbox_is_no_header() -> None:
    message = parse(b"From a@b Tue Jan 1\nSubject: s\n\nbody")
    assert (message.headers, message.body, message.defects) == ({"Subject": ["s"]}, "body", [])
    assert parse(b"From nobody").body == "From nobody"


@pytest.mark.parametrize("data", [b"", b"\r\n", b"all\r\nof it", b"a b\r\n\r\nc"])
def test_without_headers_all_is_body(data: bytes) -> None:
    message = parse(data)
    assert message.headers == {}
    assert message.body == data.decode().removeprefix("\r\n")
    assert message.size == len(data)
    assert "headers-missing" in message.defects


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_a_parameter_is_found_though_the_indent_of_its_line_is_lost(newline: bytes) -> None:
    file = b'Content-Type: a/b;\r\nx="y"\r\nContent-Disposition: attachment;\r\nfilename="plan.pdf"\r\n\r\nfile'
    data = multipart(leaf(b"text"), file).replace(b" boundary", b"\r\nboundary")
    message = parse(data.replace(b"\r\n", newline))
    assert (message.body, message.defects) == ("text", ["header-malformed"])
    assert [(each.filename, each.size, each.parameters) for each in message.attachments] == [
        ("plan.pdf", 4, {"x": "y"})
    ]


@pytest.mark.parametrize("mailbox", [b"", b"From a@b Tue Jan 1\n"])
def test_a_byte_order_mark_may_be_in_front_of_the_headers(mailbox: bytes) -> None:
    message = parse(b"\xef\xbb\xbf" + mailbox + b"Subject: s\r\n\r\nbody")
    assert (message.headers, message.body, message.defects) == ({"Subject": ["s"]}, "body", [])


def test_raw_headers_and_file_names_are_in_the_charset_of_the_text() -> None:
    file = leaf(b"x", PDF, disposition='attachment; filename="表\\1.pdf"'.encode("cp932"))
    text = leaf("日本".encode("cp932"), b"text/plain; charset=shift_jis")
    for parts in ((text, file), (file, text)):
        message = parse("Subject: 日本\r\nFrom: 表 <a@b>\r\n".encode("cp932") + b"X: \xff\r\n" + multipart(*parts))
        assert (message.subject, message.body, message.headers["X"]) == ("日本", "日本", ["\uf8f3"])
        assert message.from_[0].name == "表"
        assert message.attachments[0].filename == "1.pdf"


@pytest.mark.parametrize("charset", [b"utf-8", b"utf-16", b"us-ascii", b"unknown", b"utf-7"])
def test_else_they_are_windows_1252(charset: bytes) -> None:
    message = parse(b"Subject: Gr\xfc\xdfe\r\n" + leaf(b"", b"text/plain; charset=" + charset))
    assert message.subject == "Grüße"


def test_headers_in_utf_8_stay_so_whatever_the_charset_of_the_text_is() -> None:
    message = parse("Subject: Новости\r\n".encode() + leaf(b"\xf0", b"text/plain; charset=koi8-r"))
    assert (message.subject, message.body, message.defects) == ("Новости", "П", [])


@pytest.mark.parametrize("value", [b"", b"text", b"text plain", b"/"])
def test_a_missing_or_invalid_type_is_text(value: bytes) -> None:
    message = parse(b"Content-Type: " + value + b"\r\n\r\ntext")
    assert (message.body, message.attachments) == ("text", [])
    assert message.defects == (["type-invalid"] if value else [])


def test_an_attachment_of_an_invalid_type_is_of_an_unknown_one() -> None:
    message = parse(
        multipart(leaf(b"x", b"pdf", disposition=b"attachment"), b"Content-Disposition: attachment\r\n\r\ny")
    )
    assert listed(message) == [("application/octet-stream", b"x"), ("text/plain", b"y")]
    assert message.defects == ["type-invalid"]


def test_the_first_content_header_counts() -> None:
    message = parse(b"Content-Type: text/html\r\ncontent-type: text/plain\r\n\r\nx")
    assert (message.html_body, message.body, message.defects) == ("x", "", ["header-duplicate"])


def test_in_a_digest_a_part_without_a_type_is_a_message() -> None:
    message = parse(multipart(b"\r\nSubject: s\r\n\r\nbody", leaf(b"x"), subtype=b"digest"))
    assert listed(message) == [("message/rfc822", b"Subject: s\r\n\r\nbody")]
    assert message.body == "x"


@pytest.mark.parametrize("line", [b"--b", b"--b ", b"--b\t \t"])
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_a_delimiter_is_a_line_with_nothing_but_blanks_behind_it(line: bytes, newline: bytes) -> None:
    lines = [b"Content-Type: multipart/mixed; boundary=b", b"", b"preamble", line, b"", b"one", line, b"", b"two"]
    lines += [line.replace(b"b", b"b--"), b"epilogue"]
    message = parse(newline.join(lines))
    assert (message.body, message.defects) == ("one\ntwo", [])


@pytest.mark.parametrize("line", [b"--bb", b"--b x", b" --b", b"x--b", b"--b--x", b"--b-", b"-b", b"--B", b"\r--b"])
def test_any_other_line_is_none(line: bytes) -> None:
    message = parse(multipart(leaf(b"one\r\n" + line + b"\r\ntwo")))
    assert message.body == "one\r\n" + line.decode() + "\r\ntwo"
    assert message.defects == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", ""), (b"\r\n", "\r\n"), (b"\n", "\n"), (b"a\r", "a\r"), (b"a\n\n", "a\n\n")],
)
def test_the_line_end_in_front_of_a_delimiter_belongs_to_it(content: bytes, expected: str) -> None:
    assert parse(multipart(leaf(content))).body == expected


@pytest.mark.parametrize("shift", range(-8, 3))
def test_a_delimiter_is_found_wherever_a_slice_ends(shift: int) -> None:
    filler = b"x" * (2 * SLICE + shift)
    message = parse(multipart(b"\r\n" + filler, leaf(b"two")))
    assert (len(message.body), message.body[-4:], message.defects) == (len(filler) + 4, "\ntwo", [])


def test_a_boundary_may_begin_like_another() -> None:
    inner = multipart(leaf(b"one"), leaf(b"two"), boundary=b"bb")
    message = parse(multipart(inner, leaf(b"three")))
    assert (message.body, message.defects) == ("one\ntwo\nthree", [])


def test_an_unclosed_multipart_runs_to_the_end_of_its_parent() -> None:
    inner = multipart(leaf(b"one"), leaf(b"two"), boundary=b"c").removesuffix(b"\r\n--c--\r\n")
    message = parse(multipart(inner, leaf(b"three")))
    assert (message.body, message.defects) == ("one\ntwo\nthree", ["boundary-unclosed"])


@pytest.mark.parametrize(
    ("parameter", "defect"),
    [(b"", "boundary-missing"), (b'; boundary=""', "boundary-missing"), (b"; boundary=' '", "boundary-absent")],
)
def test_a_multipart_without_its_boundary_is_one_text(parameter: bytes, defect: str) -> None:
    message = parse(b"Content-Type: multipart/mixed" + parameter + b"\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\n")
    assert (message.body, message.attachments) == ("--b\r\n\r\ntext\r\n--b--\r\n", [])
    assert message.defects == [defect]


def test_a_multipart_with_nothing_but_its_end_is_one_text() -> None:
    message = parse(b"Content-Type: multipart/mixed; boundary=b\r\n\r\ntext\r\n--b--\r\n")
    assert (message.body, message.defects) == ("text\r\n--b--\r\n", ["boundary-absent"])


def test_a_multipart_that_is_encoded_as_a_whole_is_one_text() -> None:
    body = base64.encodebytes(b"--b\n\ntext\n--b--\n")
    message = parse(b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n" + body)
    assert (message.body, message.defects) == ("--b\n\ntext\n--b--\n", ["boundary-absent"])


def test_parts_behind_the_end_are_there_as_well() -> None:
    message = parse(multipart(leaf(b"one")) + b"epilogue\r\n--b\r\n\r\ntwo\r\n--b--\r\n--b--\r\nend")
    assert (message.body, message.defects) == ("one\ntwo", ["boundary-reopened"])


def test_a_multipart_with_the_boundary_of_its_parent_loses_nothing() -> None:
    message = parse(multipart(multipart(leaf(b"one"), leaf(b"two")), leaf(b"three"), leaf(b"four", PDF)))
    assert message.body == "one\ntwo\nthree"
    assert listed(message) == [("application/pdf", b"four")]


@pytest.mark.parametrize(
    "part",
    [
        leaf(b"x", disposition=b"attachment"),
        leaf(b"x", HTML, disposition=b"attachment; filename=x.html"),
        leaf(b"x", disposition=b"form-data; name=x"),
        leaf(b"x", disposition=b"filename=x"),
        leaf(b"x", b"application/octet-stream"),
        leaf(b"x", b"text/csv"),
        leaf(b"x", b"text/calendar"),
        leaf(b"x", b"image/png", disposition=b"inline"),
        leaf(b"x", b"x-new/type"),
        leaf(b"x", disposition=b"inline; filename=x.txt"),
        leaf(b"x", b"text/plain; name=x.txt", disposition=b"inline"),
        leaf(b"x", b"text/plain; name=x.txt"),
        leaf(b"x", b"text/html; name=x.html"),
    ],
)
def test_what_is_an_attachment(part: bytes) -> None:
    message = parse(multipart(leaf(b"text"), leaf(b"<p>", HTML), part))
    assert (message.body, message.html_body) == ("text", "<p>")
    assert [content for _, content in listed(message)] == [b"x"]


@pytest.mark.parametrize(
    "part",
    [
        leaf(b"x"),
        leaf(b"x", disposition=b"inline"),
        leaf(b"x", disposition=b""),
        leaf(b"x", id=b"<a@b>"),
    ],
)
def test_what_is_text(part: bytes) -> None:
    message = parse(multipart(leaf(b"text"), part))
    assert (message.body, message.attachments) == ("text\nx", [])


def test_the_first_text_of_a_multipart_may_have_a_file_name() -> None:
    named = b"inline; filename=x"
    inner = multipart(leaf(b"4", b"text/html; name=y"), leaf(b"5", disposition=named), boundary=b"c")
    message = parse(multipart(leaf(b"1", disposition=named), leaf(b"2", HTML, disposition=named), leaf(b"3"), inner))
    assert (message.body, message.html_body) == ("1\n3", "4")
    assert [(each.filename, each.content()) for each in message.attachments] == [("x", b"2"), ("x", b"5")]
    assert parse(leaf(b"1", HTML, disposition=named)).html_body == "1"


def test_an_alternative_may_have_a_file_name() -> None:
    parts = [leaf(b"1", b"text/plain; name=x"), leaf(b"2", HTML, disposition=b"inline; filename=x")]
    message = parse(multipart(*parts, subtype=b"alternative"))
    assert (message.body, message.html_body, message.attachments) == ("1", "2", [])


def test_texts_are_joined_by_a_newline_and_none_is_made_up() -> None:
    message = parse(multipart(leaf(b"1"), leaf(b""), leaf(b"2", PDF), leaf(b"3")))
    assert (message.body, message.html_body) == ("1\n3", "")
    message = parse(multipart(leaf(b"1", HTML), leaf(b"2", HTML)))
    assert (message.body, message.html_body) == ("", "1\n2")


def test_of_alternatives_the_first_of_a_kind_is_the_text_and_others_are_attachments() -> None:
    parts = [leaf(b"1"), leaf(b"2", HTML), leaf(b"3"), leaf(b"4", HTML), leaf(b"5", b"text/calendar")]
    message = parse(multipart(*parts, subtype=b"alternative"))
    assert (message.body, message.html_body) == ("1", "2")
    assert listed(message) == [("text/plain", b"3"), ("text/html", b"4"), ("text/calendar", b"5")]


def test_one_alternative_may_have_several_texts() -> None:
    rich = multipart(leaf(b"2", HTML), leaf(b"3", PDF), leaf(b"4", HTML), leaf(b"5"), boundary=b"c")
    message = parse(multipart(multipart(leaf(b"1"), rich, subtype=b"alternative", boundary=b"a"), leaf(b"6")))
    assert (message.body, message.html_body) == ("1\n6", "2\n4")
    assert listed(message) == [("application/pdf", b"3"), ("text/plain", b"5")]


@pytest.mark.parametrize("encoding", [b"7bit", b"base64"])
def test_a_message_in_a_message_is_one_attachment(encoding: bytes) -> None:
    inner = multipart(leaf(b"x"), leaf(b"y", PDF), boundary=b"c")
    body = base64.encodebytes(inner) if encoding == b"base64" else inner
    message = parse(multipart(leaf(b"text"), leaf(body, b"message/rfc822", encoding=encoding)))
    assert message.body == "text"
    assert listed(message) == [("message/rfc822", inner)]


@pytest.mark.parametrize(
    ("headers", "inline"),
    [
        ({}, False),
        ({"disposition": b"inline"}, True),
        ({"disposition": b"attachment"}, False),
        ({"disposition": b"other"}, False),
        ({"id": b"<a@b>"}, False),
        ({"id": b"<>"}, False),
        ({"id": b"<a@b>", "disposition": b"inline; filename=x"}, True),
        ({"id": b"<a@b>", "disposition": b"attachment"}, False),
    ],
)
def test_what_is_inline(headers: dict[str, bytes], inline: bool) -> None:
    (attachment,) = parse(multipart(leaf(b"x", b"image/png", **headers))).attachments
    assert attachment.inline is inline
    assert attachment.content_id == ("a@b" if b"a@b" in headers.get("id", b"") else "")


@pytest.mark.parametrize("disposition", [b"inline", b"attachment; filename=a.gif", b""])
@pytest.mark.parametrize("reference", [b"cid:a@b", b"CID:a%40b", b"cid:a&#64;b"])
def test_what_the_html_shows_is_inline_whatever_its_disposition_is(disposition: bytes, reference: bytes) -> None:
    html = leaf(b'<img src="' + reference + b'">', HTML)
    image = leaf(b"x", b"image/gif", id=b"<a@b>", disposition=disposition)
    other = leaf(b"x", b"image/gif", id=b"<c@b>", disposition=disposition)
    shown, hidden = parse(multipart(html, image, other, subtype=b"related")).attachments
    assert (shown.inline, hidden.inline) == (True, disposition == b"inline")


UUENCODED = b"begin 644 cat.bin\r\n#0V%T\r\n`\r\nend\r\n"


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_uuencoded_files_in_a_text_are_attachments(newline: bytes) -> None:
    second = UUENCODED.replace(b"cat.bin", b"../dog").replace(b"`", b" ").replace(b"644", b"0755")
    text = (b"before\r\n" + UUENCODED + b"between\r\n" + second + b"after").replace(b"\r\n", newline)
    for data in (b"\r\n" + text, multipart(leaf(text)), UUENCODED, multipart(leaf(UUENCODED))):
        message = parse(b"Subject: s\r\n" + data if data != UUENCODED else b"Subject: s\r\n\r\n" + data)
        names = ["cat.bin", "dog"] if b"dog" in data else ["cat.bin"]
        assert [(each.filename, each.content_type, each.content()) for each in message.attachments] == [
            (name, "application/octet-stream", b"Cat") for name in names
        ]
        assert message.body.split() == (["before", "between", "after"] if b"dog" in data else [])


@pytest.mark.parametrize(
    "text",
    [
        b"begin 644 x\nThis is text.\nend\n",
        b"begin 644 x\n#0V%T\n`\n",
        b"begin the day\n#0V%T\nend\n",
        b"begin 644 \n#0V%T\nend\n",
        b"x begin 644 x\n#0V%T\nend\n",
        b"begin 644 x\n" + b"M\n" * 100 + b"end\n",
    ],
)
def test_what_resembles_a_uuencoded_file_stays_text(text: bytes) -> None:
    message = parse(b"Subject: s\n\n" + text)
    assert (message.body, message.attachments) == (text.decode(), [])


def test_a_mail_has_at_most_a_thousand_uuencoded_files() -> None:
    message = parse(multipart(leaf(UUENCODED * 600), leaf(UUENCODED * 600)))
    assert len(message.attachments) == mime.MAX_PARTS - 2
    assert message.body.count("cat.bin") == 1200 - len(message.attachments)


@pytest.mark.parametrize(
    ("parameters", "body", "expected"),
    [
        (b"; format=flowed", b"a \r\nb\r\nc", "a b\r\nc"),
        (b'; Format="Flowed"', b"a \nb\nc", "a b\nc"),
        (b"; format=flowed; delsp=yes", b"a \r\nb \r\n", "ab\r\n"),
        (b"; format=fixed", b"a \r\nb", "a \r\nb"),
        (b"", b"a \r\nb", "a \r\nb"),
    ],
)
def test_flowed_text_is_joined_and_the_rest_is_not(parameters: bytes, body: bytes, expected: str) -> None:
    assert parse(leaf(body, b"text/plain" + parameters)).body == expected
    assert parse(leaf(body, b"text/html" + parameters)).html_body == body.decode()


@pytest.mark.parametrize(
    ("kind", "disposition", "expected"),
    [
        (b"a/b; name=1", b"attachment; filename=2", "2"),
        (b"a/b; name=1", b"attachment; filename=", "1"),
        (b"a/b; name=1", b"attachment", "1"),
        (b"a/b; name*=utf-8''%C3%A4; name=1", b"", "ä"),
        (b"a/b", b"attachment; name=1", ""),
    ],
)
def test_the_name_of_the_type_comes_last(kind: bytes, disposition: bytes, expected: str) -> None:
    (attachment,) = parse(multipart(leaf(b"x", kind, disposition=disposition))).attachments
    assert attachment.filename == expected


@pytest.mark.parametrize(
    ("encoding", "body", "content", "defects"),
    [
        (b"", b"a=3D\r\n", b"a=3D\r\n", []),
        (b"8BIT", b"\xff\0", b"\xff\0", []),
        (b"binary", b"\r\n\r\n", b"\r\n\r\n", []),
        (b"Base64", b"QUJD\r\nRA==", b"ABCD", []),
        (b"base64", b"QUJDRA", b"ABCD", ["base64-repaired"]),
        (b"quoted-printable", b"a=3D=\r\nb", b"a=b", []),
        (b"x-uuencode", b"begin 644 x\r\n#0V%T\r\n`\r\nend", b"Cat", []),
        (b"x-unknown", b"QUJD", b"QUJD", ["encoding-unknown"]),
    ],
)
def test_an_attachment_is_decoded(encoding: bytes, body: bytes, content: bytes, defects: list[str]) -> None:
    message = parse(multipart(leaf(body, PDF, encoding=encoding), leaf(b"text")))
    (attachment,) = message.attachments
    assert attachment.content() == content
    assert attachment.size == len(content)
    assert attachment.base64() == base64.b64encode(content)
    assert message.defects == defects


def test_clean_base64_is_handed_on_as_it_came() -> None:
    # These two lines decode to one byte each, and a byte has other spellings than the one that an encoder makes.
    (attachment,) = parse(multipart(leaf(b"QR==\r\n", PDF, encoding=b"base64"))).attachments
    assert (attachment.base64(), attachment.content()) == (b"QR==", b"A")


def test_text_is_decoded_from_its_charset() -> None:
    body = base64.encodebytes("Привет\r\n".encode("koi8-r"))
    message = parse(multipart(leaf(body, b"text/plain; charset=KOI8-R", encoding=b"base64")))
    assert (message.body, message.defects) == ("Привет\r\n", [])


@pytest.mark.parametrize("charset", [b"utf-8", b"utf-8-sig", b"utf-16", b"utf-16-be", b""])
def test_a_text_loses_its_byte_order_mark(charset: bytes) -> None:
    codec = charset.decode() or "utf-8"
    body = base64.encodebytes("\ufeffhello\ufeff".encode(codec))
    message = parse(leaf(body, b"text/plain; charset=" + charset, encoding=b"base64"))
    assert (message.body, message.defects) == ("hello\ufeff", [])


@pytest.mark.parametrize("kind", [b"text/plain", HTML])
def test_nul_is_in_no_text(kind: bytes) -> None:
    message = parse(leaf(b"a\0b\0", kind))
    assert (message.body + message.html_body, message.defects) == ("a\ufffdb\ufffd", ["text-cleaned"])


def test_html_without_a_charset_has_that_of_its_meta_element() -> None:
    html = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">Привет'
    body = html.encode("windows-1251")
    assert parse(leaf(body, HTML)).html_body == html
    assert parse(leaf(base64.encodebytes(body), HTML, encoding=b"base64")).html_body == html
    assert parse(leaf(html.encode(), HTML + b"; charset=utf-8")).html_body == html
    assert parse(leaf(body)).body != html


def test_a_defect_is_named_once() -> None:
    part = leaf(b"Q\xff", b"text/plain; charset=x", encoding=b"base64")
    assert parse(multipart(part, part)).defects == ["base64-repaired", "charset-unknown"]


def test_an_attachment_shows_no_content() -> None:
    (attachment,) = parse(multipart(leaf(b"secret", PDF, disposition=b"attachment; filename=x"))).attachments
    assert repr(attachment) == "<Attachment 'x' application/pdf 6 bytes>"


def nested(depth: int) -> bytes:
    data = leaf(b"bottom")
    for level in reversed(range(depth)):
        data = multipart(data, leaf(b"%d" % level, PDF), boundary=b"b%d" % level)
    return data


def test_fifty_multiparts_inside_each_other_are_opened() -> None:
    message = parse(nested(mime.MAX_DEPTH))
    assert (message.body, len(message.attachments), message.defects) == ("bottom", mime.MAX_DEPTH, [])


def test_deeper_ones_are_an_attachment_and_what_is_beside_them_is_read() -> None:
    message = parse(nested(mime.MAX_DEPTH + 2))
    assert (message.body, message.defects) == ("", ["depth-limit"])
    first, *others = listed(message)
    assert first[0] == "application/octet-stream"
    assert parse(first[1] + b"\r\n").body == "bottom"
    assert others == [("application/pdf", b"%d" % level) for level in reversed(range(mime.MAX_DEPTH))]


def test_a_thousand_parts_are_read_and_the_rest_is_an_attachment() -> None:
    parts = [leaf(b"%d" % number, PDF) for number in range(mime.MAX_PARTS)]
    assert parse(multipart(*parts)).defects == []
    message = parse(multipart(multipart(*parts, leaf(b"more"), boundary=b"c"), leaf(b"most")))
    assert message.defects == ["parts-limit"]
    assert len(message.attachments) == mime.MAX_PARTS  # one of the parts is the inner multipart
    kind, content = listed(message)[-1]
    assert kind == "application/octet-stream"
    assert content.startswith(leaf(b"999", PDF)) and b"most" in content and content.endswith(b"--b--\r\n")


def test_near_misses_of_delimiters_are_counted_and_the_rest_is_an_attachment() -> None:
    lines = b"--bx\r\n" * mime.MAX_REJECTED
    message = parse(multipart(leaf(lines)))
    assert (message.body, message.defects) == (lines.decode(), [])
    first = parse(multipart(leaf(b"1"), leaf(lines + b"--bx\r\n"), leaf(b"2")))
    assert (first.body, first.defects) == ("1", ["delimiters-limit"])
    assert listed(first) == [
        ("application/octet-stream", leaf(lines + b"--bx\r\n") + b"\r\n--b\r\n" + leaf(b"2") + b"\r\n--b--\r\n")
    ]
    preamble = multipart(leaf(b"1")).replace(b"\r\n\r\n", b"\r\n\r\n" + lines + b"--bx\r\n", 1)
    assert [content for _, content in listed(parse(preamble))] == [preamble.partition(b"\r\n\r\n")[2]]
    epilogue = parse(multipart(leaf(b"1")) + lines + b"--bx\r\n")
    assert (epilogue.body, listed(epilogue)) == ("1", [("application/octet-stream", lines + b"--bx\r\n")])


def test_a_header_to_thousands_of_recipients_is_read_whole() -> None:
    to = b",\r\n ".join(b"recipient-%d@example.com" % number for number in range(7500))
    message = parse(b"To: " + to + b"\r\nSubject: s\r\n\r\nbody")
    assert len(to) > 200 * 1024
    assert (message.subject, message.body, message.attachments, message.defects) == ("s", "body", [], [])
    assert message.headers["To"][0].count("@") == 7500


def test_what_is_cut_off_a_header_is_an_attachment() -> None:
    message = parse(b"Subject: s\r\nTo: " + b"x" * 300_000 + b"\r\n\r\nbody")
    assert (message.subject, message.body, message.defects) == ("s", "", ["headers-limit"])
    ((kind, content),) = listed(message)
    assert kind == "application/octet-stream"
    assert len(message.headers["To"][0] + content.decode()) == 300_000 + len("\r\n\r\nbody")


def test_what_is_behind_too_many_headers_is_an_attachment() -> None:
    message = parse(b"A: b\r\n" * 1000 + b"Subject: s\r\n\r\nbody")
    assert (message.headers, message.body, message.defects) == ({"A": ["b"] * 1000}, "", ["headers-limit"])
    assert listed(message) == [("application/octet-stream", b"Subject: s\r\n\r\nbody")]


def test_the_headers_of_a_part_have_limits_of_their_own() -> None:
    long = b"A: b\r\n" * 1001 + b"\r\nlong"
    message = parse(multipart(long, leaf(b"text")))
    assert (message.body, message.defects) == ("text", ["headers-limit"])
    assert listed(message) == [("application/octet-stream", b"A: b\r\n\r\nlong")]
