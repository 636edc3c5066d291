"""Charsets: the names that are known, their supersets, and what becomes of bytes that do not fit."""

from __future__ import annotations

import codecs
from encodings.aliases import aliases

import pytest

from rrpy.mime import charsets as mime_charsets
from rrpy.mime.charsets import CODECS, OWN, SLICE, decode, html_charset

NO_CHARSETS = ["base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs"]


def text(data: bytes, charset: bytes = b"") -> tuple[str, list[str]]:
    defects: dict[str, None] = {}
    return decode(data, charset, defects), list(defects)


@pytest.mark.parametrize("codec", sorted(set(CODECS.values()) - {"", *OWN}))
def test_every_codec_of_the_table_is_one_of_python_or_ours(codec: str) -> None:
    assert codecs.lookup(codec)._is_text_encoding


def test_every_charset_of_python_is_known_by_all_of_its_names() -> None:
    missing = {
        alias
        for alias, codec in aliases.items()
        if codec not in NO_CHARSETS and "".join(filter(str.isalnum, alias.lower())) not in CODECS
    }
    assert missing == set()


@pytest.mark.parametrize(
    "name",
    ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "rot13", "zlib", "base64", "undefined", "oem", "mbcs"],
)
def test_a_codec_that_is_no_charset_is_unknown(name: str) -> None:
    assert text(b"abc", name.encode()) == ("abc", ["charset-unknown"])


@pytest.mark.parametrize("name", [b"x-klingon", b"\xff", b"utf-8\0" * 50, b"-", b"%s"])
def test_an_unknown_charset_is_utf_8_else_windows_1252(name: bytes) -> None:
    assert text("ä€".encode(), name) == ("ä€", ["charset-unknown"])
    assert text(b"\xe4\x80", name) == ("ä€", ["charset-unknown", "charset-guessed"])


@pytest.mark.parametrize("name", [b"", b"us-ascii", b"US-ASCII", b"ANSI_X3.4-1968"])
def test_without_a_charset_it_is_utf_8_else_windows_1252(name: bytes) -> None:
    assert text("ä€".encode(), name) == ("ä€", [])
    assert text(b"\xe4\x80", name) == ("ä€", ["charset-guessed"])
    assert text(b"\xe4\x81", name) == ("ä\ufffd", ["charset-guessed", "charset-undecodable"])


@pytest.mark.parametrize(
    ("name", "superset", "sample"),
    [
        ("iso-8859-1", "cp1252", "€ “”"),
        ("latin1", "cp1252", "€ “”"),
        ("iso-8859-9", "cp1254", "€ ş"),
        ("gb2312", "gb18030", "镕𠀀"),
        ("GBK", "gb18030", "镕𠀀"),
        ("ks_c_5601-1987", "cp949", "똠"),
        ("euc-kr", "cp949", "똠"),
        ("Shift_JIS", "cp932", "①"),
        ("big5", "big5hkscs", "啫"),
        ("iso-2022-jp", "iso2022_jp_ext", "日本語ｱ"),
        ("iso-2022-jp-2", "iso2022_jp_2", "日本语"),
        ("tis-620", "cp874", "ส€"),
    ],
)
def test_a_charset_is_decoded_by_its_superset(name: str, superset: str, sample: str) -> None:
    assert text(sample.encode(superset), name.encode()) == (sample, [])


@pytest.mark.parametrize("name", ["UTF-8", "utf8", "Utf_8", "unicode-1-1-utf-8", "cp65001"])
def test_the_writing_of_a_name_does_not_matter(name: str) -> None:
    assert text("ä".encode(), name.encode()) == ("ä", [])


@pytest.mark.parametrize("charset", [b"", b"us-ascii", b"utf-8"])
@pytest.mark.parametrize("wrong", [b"\xff", b"\xe4", b"\xd0", b"\xe2\x82", b"\xf0\x9f\x98"])
def test_utf_8_with_a_broken_sequence_stays_utf_8_where_a_whole_one_is_there(charset: bytes, wrong: bytes) -> None:
    assert text("Größe ".encode() + wrong, charset) == ("Größe \ufffd", ["charset-undecodable"])
    assert text(b"x" * SLICE + "ß".encode() + wrong, charset)[0].endswith("xß\ufffd")


@pytest.mark.parametrize("data", [b"Gr\xfc\xdfe", b"\xe4", b"caf\xe9", b"\xc3"])
def test_what_claims_to_be_utf_8_and_has_no_whole_sequence_is_windows_1252(data: bytes) -> None:
    assert text(data, b"utf-8") == (data.decode("cp1252"), ["charset-wrong"])
    assert text(data + b"a\x81", b"utf-8") == (
        data.decode("cp1252") + "a\ufffd",
        ["charset-wrong", "charset-undecodable"],
    )


@pytest.mark.parametrize("charset", [b"euc-kr", b"iso-2022-jp", b"big5", b"windows-1252", b"utf-32", b"hz", b"utf-7"])
def test_a_charset_that_cannot_be_is_utf_8_if_that_is_valid(charset: bytes) -> None:
    assert text("Größe ā €".encode(), charset) == ("Größe ā €", ["charset-wrong"])


def test_ascii_is_no_utf_16_of_odd_length() -> None:
    assert text(b"hello", b"utf-16") == ("hello", ["charset-wrong"])
    assert text("hé".encode("utf-16-le") + b"x", b"utf-16") == ("hé\ufffd", ["charset-undecodable"])


def test_another_charset_is_tried_where_there_is_none() -> None:
    defects: dict[str, None] = {}
    assert decode("Новости".encode("koi8-r"), b"", defects, b"koi8-r") == "Новости"
    assert list(defects) == ["charset-guessed"]
    assert decode("Новости".encode(), b"", {}, b"koi8-r") == "Новости"
    assert decode("Новости".encode()[:-1], b"", {}, b"koi8-r") == "Новост\ufffd"
    assert decode("お名前".encode("cp932"), b"", {}, b"iso-2022-jp") == "お名前"
    assert decode(b"caf\xe9", b"", {}, b"euc-jp") == "café"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (b'<meta charset="koi8-r">', b"koi8-r"),
        (b"<META CHARSET = koi8-r/>", b"koi8-r"),
        (b'<head><meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', b"windows-1251"),
        (b'<meta name="a">\n<meta content="text/html;charset=windows-1251" http-equiv=x>', b"windows-1251"),
        (b'<!-- <meta charset="koi8-r"> --><meta charset=big5>', b"big5"),
        (b'<!-- <meta charset="koi8-r">', b""),
        (b'<meta charset="utf-16le">', b"utf-8"),
        (b"<p>charset=koi8-r</p>", b""),
        (b"<meta <p charset=koi8-r>", b""),
        (b"<metal charset=koi8-r>", b""),
        (b" " * 5000 + b"<meta charset=koi8-r>", b""),
        (b"", b""),
    ],
)
def test_html_declares_its_charset(html: bytes, expected: bytes) -> None:
    assert html_charset(html) == expected


@pytest.mark.parametrize(
    ("data", "charset", "expected"),
    [
        (b"\xc3\xa4\xffb", b"utf-8", "ä\ufffdb"),
        (b"\xc3\xa4\xed\xa0\x80", b"utf-8", "ä\ufffd\ufffd\ufffd"),
        (b"\x81\x20", b"big5", "\ufffd "),
        (b"\x00\xd8a", b"utf-16-le", "\ufffd"),
        (b"+2AA-", b"utf-7", "\ufffd"),
    ],
)
def test_bytes_that_are_not_of_their_charset_are_replaced(data: bytes, charset: bytes, expected: str) -> None:
    assert text(data, charset) == (expected, ["charset-undecodable"])


@pytest.mark.parametrize("codec", sorted(set(CODECS.values()) - {""}))
def test_every_codec_makes_valid_text_of_any_bytes_in_slices_or_not(codec: str) -> None:
    # Long enough for three slices; the escape sequences and shifts of the codecs with states are among it.
    pattern = (
        bytes(range(256)) + b"\x1b$B" + bytes(range(255, -1, -1)) + b"\x1b(B~{++AOQ-+2AA-\x0e\x0f" + b"\x1b$)C\x0e"
    )
    data = pattern * (2 * SLICE // len(pattern) + 7)
    found, _ = text(data, codec.encode())
    assert found.encode("utf-8")
    part, _ = text(data[:SLICE], codec.encode())
    assert found.startswith(part[: len(part) - 20])


def test_a_run_of_escapes_where_a_slice_ends_is_replaced_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mime_charsets, "SLICE", 7)
    data = b"\x0b\x05\xc2\xc8\x81\x1b$\x83\x1ef" + b"\x1b" * 10 + b"\x81\x0e\x1b$(DF+AOQ5\x1b$B"
    assert text(data, b"iso-2022-jp-3") == (data.decode("iso2022_jp_3", "replace"), ["charset-undecodable"])


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_is_obeyed_and_is_no_text(codec: str) -> None:
    for size in (1, SLICE):
        data = ("\ufeff" + "ä" * size).encode(codec)
        assert text(data, codec[:6].encode()) == ("ä" * size, [])


@pytest.mark.parametrize("charset", ["utf-16", "utf-32"])
def test_without_a_byte_order_mark_the_order_is_little_endian(charset: str) -> None:
    for size in (1, SLICE):
        assert text(("ä" * size).encode(charset + "-le"), charset.encode()) == ("ä" * size, [])


@pytest.mark.parametrize("charset", ["utf-8", "iso-2022-jp", "gb18030", "utf-16", "utf-7", "koi8-r"])
def test_no_slice_cuts_a_character(charset: str) -> None:
    for shift in range(4):
        sample = "a" * shift + "Привет, мир " * 30_000
        assert text(sample.encode(charset), charset.encode()) == (sample, [])
