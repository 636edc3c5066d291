"""Types, dispositions and file names: parameters in every form that people write."""

from __future__ import annotations

import pytest

from rrpy.mime import parameters as mime_parameters
from rrpy.mime.parameters import MAX_FILENAME


def name(value: bytes) -> tuple[str, list[str]]:
    """Return the file name in a Content-Disposition."""
    defects: dict[str, None] = {}
    found = mime_parameters.disposition(value, defects)[1]
    return mime_parameters.file_name(found, b"filename", defects), list(defects)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"text/plain", "text/plain"),
        (b"TEXT/Html; charset=x", "text/html"),
        (b"text/plain(comment)", "text/plain"),
        (b"(comment) text/plain ; a=b", "text/plain"),
        (b"application/vnd.a+json", "application/vnd.a+json"),
        (b"text/html charset=x", "text/html"),
        (b'"text/html"; charset=utf-8', "text/html"),
        (b"'text/html'; charset=utf-8", "text/html"),
        (b'"text/html; charset=utf-8"', "text/html"),
        (b'" text / html "', "text/html"),
        (b"text / plain", "text/plain"),
        (b"text/ plain; a=b", "text/plain"),
        (b"text", ""),
        (b"text/", ""),
        (b"/plain", ""),
        (b"text/pl\xe4in", ""),
        (b"a/b/c", ""),
        (b'""', ""),
        (b"(", ""),
        (b"; charset=x", ""),
    ],
)
def test_a_type_is_two_tokens_and_a_slash(value: bytes, kind: str) -> None:
    defects: dict[str, None] = {}
    assert mime_parameters.content_type(value, defects)[0] == kind
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
    assert mime_parameters.transfer_encoding(value) == expected


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
    assert mime_parameters.content_type(b"a/b" + value, defects)[1] == parameters
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
    assert mime_parameters.disposition(b"inline" + value, defects) == ("inline", parameters)
    assert list(defects) == ["parameter-malformed"]


def test_a_value_in_quotes_as_a_whole_has_its_parameters() -> None:
    assert mime_parameters.content_type(b'"multipart/mixed; boundary=b"', {}) == (
        "multipart/mixed",
        {b"boundary": b"b"},
    )
    assert mime_parameters.disposition(b'"attachment"; filename=a', {}) == ("attachment", {b"filename": b"a"})
    assert mime_parameters.disposition(b'"attachment; filename=a"', {}) == ("attachment", {b"filename": b"a"})


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
        (b"a\tb", "a b"),
        ("a\u202efdp.exe".encode(), "afdp.exe"),
        ("\u200ea\u2066b\u2069\u061cc\u2028d".encode(), "abcd"),
        (b"n" * (MAX_FILENAME + 1), "n" * MAX_FILENAME),
        (b"n" * 300 + b".pdf", "n" * 251 + ".pdf"),
        (b"n" * 250 + b"  .tar.gz", "n" * 250 + ".gz"),
        (b"n." * 300 + b"e" * 40, "n." * 127 + "n"),
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
    assert mime_parameters.charset(mime_parameters.content_type(b"a/b" + value, {})[1], {}) == expected
