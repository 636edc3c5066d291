"""Header blocks, encoded words and parameters: what is a field, where a block ends, and what a value says."""

from __future__ import annotations

import pytest

from rrpy.mime import headers as mime_headers
from rrpy.mime.headers import MAX_BYTES, MAX_FIELDS, MAX_FILENAME, MAX_VALUE


def block(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes, list[str]]:
    """Return the fields of a block, the text after it, and the defects."""
    defects: dict[str, None] = {}
    padded = b"A: b\n" + data + b"\n\nC: d"
    read = mime_headers.read_block(padded, 5, 5 + len(data), defects)
    assert not read.limited
    return read.fields, padded[read.body : 5 + len(data)], list(defects)


def text(value: bytes) -> tuple[str, list[str]]:
    defects: dict[str, None] = {}
    return mime_headers.decode(value, defects), list(defects)


def name(value: bytes) -> tuple[str, list[str]]:
    """Return the file name in a Content-Disposition."""
    defects: dict[str, None] = {}
    found = mime_headers.disposition(value, defects)[1]
    return mime_headers.file_name(found, b"filename", defects), list(defects)


@pytest.mark.parametrize(
    ("data", "fields", "body"),
    [
        (b"A: b\r\nC: d\r\n\r\nbody", [(b"A", b"b"), (b"C", b"d")], b"body"),
        (b"A: b\nC: d\n\nbody", [(b"A", b"b"), (b"C", b"d")], b"body"),
        (b"A: b\r\nC: d\n\r\nbody", [(b"A", b"b"), (b"C", b"d")], b"body"),
        (b"A:b", [(b"A", b"b")], b""),
        (b"A: b\r\n", [(b"A", b"b")], b""),
        (b"A:\r\n\r\n", [(b"A", b"")], b""),
        (b"A :  b \t\r\n\r\n", [(b"A", b"b")], b""),
        (b"A: b: c\r\n\r\n", [(b"A", b"b: c")], b""),
        (b"A:\r\n b\r\n\r\n", [(b"A", b"b")], b""),
        (b"\r\nA: b\r\n", [], b"A: b\r\n"),
        (b"\nA: b\r\n", [], b"A: b\r\n"),
        (b"", [], b""),
        (b"!#$%&'*+-.^_`{|}~: b", [(b"!#$%&'*+-.^_`{|}~", b"b")], b""),
    ],
)
def test_a_block_ends_at_the_first_empty_line(data: bytes, fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    assert block(data) == (fields, body, [])


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"A: b\r\n c\r\n\td\r\n\r\n", b"b c\td"),
        (b"A: b\n c\n\n", b"b c"),
        (b"A: b\r\n   c\r\n\r\n", b"b   c"),
        (b"A: b\r\n \r\n c\r\n\r\n", b"b  c"),
        (b"A: b\r\n c", b"b c"),
    ],
)
def test_unfolding_removes_the_line_end_and_nothing_else(data: bytes, value: bytes) -> None:
    assert block(data) == ([(b"A", value)], b"", [])


@pytest.mark.parametrize("line", [b"no header", b">From x", b"a b: c", b"\xe4: b", b": b", b"\x00: b", b" folded"])
def test_a_bad_line_is_skipped_when_a_header_follows(line: bytes) -> None:
    assert block(line + b"\r\nA: b\r\n\r\nbody") == ([(b"A", b"b")], b"body", ["header-malformed"])


@pytest.mark.parametrize("line", [b"no header", b"a b: c", b"\xe4: b"])
@pytest.mark.parametrize("rest", [b"", b"\r\n", b"\r\nnor this", b"\r\n\r\nC: d"])
def test_else_the_body_begins_with_it(line: bytes, rest: bytes) -> None:
    assert block(b"A: b\r\n" + line + rest) == ([(b"A", b"b")], line + rest, ["header-malformed"])


def test_a_bad_line_is_bad_with_all_that_is_folded_to_it() -> None:
    assert block(b"bad\r\n line\r\nA: b\r\n\r\n") == ([(b"A", b"b")], b"", ["header-malformed"])


@pytest.mark.parametrize("line", [b"--b", b"--b: c", b"--"])
def test_a_line_with_two_hyphens_begins_the_body(line: bytes) -> None:
    data = b"A: b\r\n" + line + b"\r\nC: d\r\n\r\n"
    assert block(data) == ([(b"A", b"b")], line + b"\r\nC: d\r\n\r\n", ["header-end-missing"])


def test_a_bad_line_in_front_of_a_delimiter_begins_the_body() -> None:
    assert block(b"A: b\r\nbad\r\n--b\r\n") == ([(b"A", b"b")], b"bad\r\n--b\r\n", ["header-malformed"])


def test_more_headers_than_are_read_are_kept_unread() -> None:
    data = b"A: b\r\n" * (MAX_FIELDS + 2) + b"\r\nbody"
    defects: dict[str, None] = {}
    read = mime_headers.read_block(data, 0, len(data), defects)
    assert (len(read.fields), read.limited, data[read.body :]) == (MAX_FIELDS, True, b"A: b\r\nA: b\r\n\r\nbody")
    assert list(defects) == ["headers-limit"]
    exact = b"A: b\r\n" * MAX_FIELDS + b"\r\nbody"
    assert not mime_headers.read_block(exact, 0, len(exact), {}).limited


def test_more_header_bytes_than_are_read_are_kept_unread() -> None:
    line = b"A: " + b"b" * 1000 + b"\r\n"
    data = line * (MAX_BYTES // len(line) + 2) + b"\r\nbody"
    defects: dict[str, None] = {}
    read = mime_headers.read_block(data, 0, len(data), defects)
    assert (read.limited, read.body, read.cut) == (True, MAX_BYTES, [])
    assert len(read.fields) == MAX_BYTES // len(line) + 1
    assert list(defects) == ["headers-limit"]


def test_a_long_value_is_cut_and_the_next_header_is_read() -> None:
    for fold in (b"", b"\r\n "):
        data = b"A:" + fold + "ä".encode() * MAX_VALUE + b"\r\nC: d\r\n\r\nbody"
        defects: dict[str, None] = {}
        read = mime_headers.read_block(data, 0, len(data), defects)
        assert [field for field, _ in read.fields] == [b"A", b"C"]
        value = read.fields[0][1].decode()  # no character is cut
        assert set(value) == {"ä"} and len(value) * 2 >= MAX_VALUE - 4
        (cut,) = read.cut
        assert (value.encode() + data[slice(*cut)]).rstrip() == "ä".encode() * MAX_VALUE
        assert list(defects) == ["header-value-limit"]


def test_a_value_that_is_no_utf_8_is_cut_at_the_limit() -> None:
    data = b"A:" + b"\x80" * (MAX_VALUE + 5) + b"\r\n\r\n"
    read = mime_headers.read_block(data, 0, len(data), {})
    assert read.fields == [(b"A", b"\x80" * MAX_VALUE)]


def test_a_value_that_has_no_end_is_cut_where_its_rest_begins() -> None:
    data = b"A:" + b"b" * (2 * MAX_BYTES)
    defects: dict[str, None] = {}
    read = mime_headers.read_block(data, 0, len(data), defects)
    assert (read.limited, read.body, read.cut) == (True, 2 + MAX_VALUE, [])
    assert list(defects) == ["header-value-limit", "headers-limit"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"plain", "plain"),
        ("ä€".encode(), "ä€"),
        (b"=?utf-8?q?a=C3=A4_b?=", "aä b"),
        (b"=?UTF-8?B?w6Q=?=", "ä"),
        (b"=?iso-8859-1?Q?=E4?= =?koi8-r?b?8NLJ18XU?=", "äПривет"),
        (b"a =?utf-8?q?=C3=A4?= b", "a ä b"),
        (b"=?utf-8?q?=C3?= \t =?UTF-8?q?=A4?=", "ä"),
        (b"=?utf-8?q?=C3?==?utf-8?b?pA==?=", "ä"),
        (b"=?utf-8?b?w6Q?==?utf-8?b?=?= =?utf-8?b?w6Q=?=", "ää"),
        (b"=?utf-8?b?w?= =?utf-8?b?6Q=?=", "ä"),
        (b"=?utf-8*de-AT?q?=C3=A4?=", "ä"),
        (b"=?utf-8?q?a b?=", "a b"),
        (b"=?utf-8?q?a?b?=", "a?b"),
        (b"=??q?=C3=A4?=", "ä"),
        (b"=?koi8-r?q?\xf0=D2?=", "Пр"),
        (b"\xc3\xa4 =?utf-8?q?=C3=A4?= \xc3\xa4", "ä ä ä"),
        (b'"=?utf-8?q?=C3=A4?="', '"ä"'),
        (b"=?iso-2022-jp?b?GyRCRnw=?= =?iso-2022-jp?b?S1wbKEI=?=", "日本"),
    ],
)
def test_encoded_words_are_decoded_as_bytes(value: bytes, expected: str) -> None:
    assert text(value) == (expected, [])


@pytest.mark.parametrize(
    "value",
    [
        "=?",
        "=?utf-8",
        "=?utf-8?",
        "=?utf-8?q",
        "=?utf-8?q?",
        "=?utf-8?q?a",
        "=?utf-8?x?a?=",
        "=?utf-8?qq?a?=",
        "=? a?q?b?=",
    ],
)
def test_what_is_no_encoded_word_stays_as_it_is(value: str) -> None:
    assert text(value.encode()) == (value, [])
    assert text(f"{value} =?utf-8?q?=C3=A4?=".encode())[0].endswith("ä") or value in ("=?utf-8?q?", "=?utf-8?q?a")


@pytest.mark.parametrize(
    ("value", "expected", "defects"),
    [
        (b"\xe4\x80", "ä€", ["charset-guessed"]),
        (b"\xe4 =?utf-8?q?=C3=A4?=", "ä ä", ["charset-guessed"]),
        (b"=?x?q?=C3=A4?=", "ä", ["charset-unknown"]),
        (b"=?utf-8?q?=E4?=", "\ufffd", ["charset-undecodable"]),
        (b"=?utf-8?b?w6Q?=", "ä", ["base64-repaired"]),
        (b"=?utf-8?b?w-6Q?=", "ä", ["base64-repaired"]),
        (b"=?utf-8?q?=zz?=", "=zz", ["quoted-printable-repaired"]),
        (b"=?utf-8?q?a=0D=0Ab=00?=", "a  b ", ["header-cleaned"]),
        (b"a\rb\0c", "a b c", ["header-cleaned"]),
    ],
)
def test_what_is_repaired_in_a_header_is_named(value: bytes, expected: str, defects: list[str]) -> None:
    assert text(value) == (expected, defects)


def test_a_tab_in_a_header_is_no_defect() -> None:
    assert text(b"a\tb") == ("a\tb", [])


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"text/plain", "text/plain"),
        (b"TEXT/Html; charset=x", "text/html"),
        (b"text/plain(comment)", "text/plain"),
        (b"(comment) text/plain ; a=b", "text/plain"),
        (b"application/vnd.a+json", "application/vnd.a+json"),
        (b"text/html charset=x", "text/html"),
        (b"text", ""),
        (b"text/", ""),
        (b"/plain", ""),
        (b"text/pl\xe4in", ""),
        (b"text / plain", ""),
        (b"a/b/c", ""),
        (b"(", ""),
        (b"; charset=x", ""),
    ],
)
def test_a_type_is_two_tokens_and_a_slash(value: bytes, kind: str) -> None:
    defects: dict[str, None] = {}
    assert mime_headers.content_type(value, defects)[0] == kind
    assert ("type-invalid" in defects) == (kind == "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"base64", "base64"),
        (b"  BASE64 ", "base64"),
        (b"base64; x", "base64"),
        (b"(a) (b) base64 (c)", "base64"),
        (b'"Base64"', "base64"),
        (b"(base64", "(base64"),
        (b";", ";"),
        (b"", ""),
    ],
)
def test_a_transfer_encoding_is_the_first_token(value: bytes, expected: str) -> None:
    assert mime_headers.transfer_encoding(value) == expected


@pytest.mark.parametrize(
    ("value", "parameters"),
    [
        (b"; a=b; C=d", {b"a": b"b", b"c": b"d"}),
        (b";a = b ;; c=", {b"a": b"b", b"c": b""}),
        (b'; a="b; c=d"; e=f', {b"a": b"b; c=d", b"e": b"f"}),
        (b'; a="\\"b\\\\"; c=d', {b"a": b'"b\\', b"c": b"d"}),
        (b'; a="C:\\temp"', {b"a": b"C:\\temp"}),
        (b'; a="b" c; d=e', {b"a": b"b", b"d": b"e"}),
        (b"; a=b c; d=e", {b"a": b"b c", b"d": b"e"}),
        (b"; a=1; a=2", {b"a": b"1"}),
        (b"; a; =b; c=d=e", {b"c": b"d=e"}),
        (b" (comment); a=b", {b"a": b"b"}),
    ],
)
def test_parameters_are_read_as_people_write_them(value: bytes, parameters: dict[bytes, bytes]) -> None:
    defects: dict[str, None] = {}
    assert mime_headers.content_type(b"a/b" + value, defects)[1] == parameters
    assert defects == {}


@pytest.mark.parametrize(
    ("value", "parameters"),
    [
        (b'; a="b; c=d', {b"a": b"b", b"c": b"d"}),
        (b" a=b; c=d", {b"a": b"b", b"c": b"d"}),
        (b", a=b", {b"a": b"b"}),
    ],
)
def test_a_parameter_without_its_semicolon_or_quote_is_read(value: bytes, parameters: dict[bytes, bytes]) -> None:
    defects: dict[str, None] = {}
    assert mime_headers.disposition(b"inline" + value, defects) == ("inline", parameters)
    assert list(defects) == ["parameter-malformed"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"attachment; filename=a.b", "a.b"),
        (b"attachment", ""),
        (b"attachment; filename*=utf-8''%C3%A4%20b", "ä b"),
        (b"attachment; filename*=utf-8'de'%C3%A4", "ä"),
        (b"attachment; filename*=%C3%A4", "ä"),
        (b"attachment; filename*=''%C3%A4", "ä"),
        (b"attachment; filename=a; filename*=utf-8''b", "b"),
        (b"attachment; filename*0=a; filename*1=b; filename=c", "ab"),
        (b"attachment; filename*1=b; filename*0=a", "ab"),
        (b"attachment; filename*0*=utf-8''%C3; filename*1*=%A4; filename*2=%41", "ä%41"),
        (b"attachment; filename*0=a; filename*1*=%C3%A4", "aä"),
        (b"attachment; " + b"; ".join(b"filename*%d=%d" % (n, n % 10) for n in range(12)), "012345678901"),
        (b'attachment; filename="=?utf-8?q?=C3=A4?="', "ä"),
        (b"attachment; filename==?utf-8?q?=C3=A4?=", "ä"),
        (b'attachment; filename="a\\"b"', 'a"b'),
        ('attachment; filename="ä"'.encode(), "ä"),
        (b'attachment; filename=" a "', "a"),
    ],
)
def test_a_file_name_is_found_in_every_form(value: bytes, expected: str) -> None:
    assert name(value) == (expected, [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a/b/c.txt", "c.txt"),
        (b'"C:\\a\\c.txt"', "c.txt"),
        (b"../..", ""),
        (b".", ""),
        (b"a/", "a"),
        (b"//", ""),
        (b'"=?utf-8?q?..=2Fa?="', "a"),
        (b"a\x01\x1f\x7fb", "ab"),
        ("a\u0085b".encode(), "ab"),
        (b"n" * (MAX_FILENAME + 1), "n" * MAX_FILENAME),
    ],
)
def test_a_file_name_is_cleaned(value: bytes, expected: str) -> None:
    assert name(b"attachment; filename=" + value) == (expected, ["filename-cleaned"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"attachment; filename*0=a; filename*2=c", "ac"),
        (b"attachment; filename*1=b", "b"),
        (b"attachment; filename*x=b; filename=a", "a"),
        (b"attachment; filename*9999999999999999999999=b; filename=a", "a"),
        (b"attachment; filename*=; filename=a", "a"),
        (b"filename=a", "a"),
    ],
)
def test_a_file_name_with_a_gap_is_what_there_is_of_it(value: bytes, expected: str) -> None:
    assert name(value) == (expected, ["parameter-malformed"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"; charset=utf-8", b"utf-8"),
        (b'; charset=" utf-8"', b"utf-8"),
        (b"; charset=utf-8 (comment)", b"utf-8"),
        (b"; charset*=us-ascii'en'koi8-r", b"koi8-r"),
        (b"; charset=", b""),
        (b"", b""),
    ],
)
def test_a_charset_is_one_word(value: bytes, expected: bytes) -> None:
    assert mime_headers.charset(mime_headers.content_type(b"a/b" + value, {})[1], {}) == expected
