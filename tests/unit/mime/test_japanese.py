"""ISO-2022-JP and EUC-JP: the characters of Microsoft's code pages, in every slice, and what is wrong in them."""

from __future__ import annotations

import pytest

from rrpy.mime import charsets as mime_charsets
from rrpy.mime.charsets import decode


def text(data: bytes, charset: bytes) -> tuple[str, list[str]]:
    defects: dict[str, None] = {}
    return decode(data, charset, defects), list(defects)


def jis(*cells: int) -> bytes:
    return b"\x1b$B" + b"".join(cell.to_bytes(2, "big") for cell in cells) + b"\x1b(B"


@pytest.mark.parametrize(
    ("cell", "character"),
    [
        (0x2121, "\u3000"),
        (0x2422, "あ"),
        (0x467C, "日"),
        (0x2D21, "①"),  # NEC row 13
        (0x2D6A, "㈱"),
        (0x2D62, "№"),
        (0x7921, "纊"),  # NEC selected IBM extensions, rows 89 to 92
        (0x7C7E, "\uff02"),
        (0x2141, "\uff5e"),  # a wave dash
        (0x215D, "\uff0d"),
        (0x2140, "\uff3c"),
    ],
)
def test_a_character_is_that_of_cp932(cell: int, character: str) -> None:
    assert text(jis(cell), b"iso-2022-jp") == (character, [])
    assert text((cell | 0x8080).to_bytes(2, "big"), b"EUC-JP") == (character, [])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x1b$@F|K\\\x1b(J\\~\x1b(B\\~", "日本¥‾\\~"),
        (b"\x1b(I123\x1b(B", "ｱｲｳ"),
        (b"\x1b$(D0!\x1b(B", "丂"),
        (b"\x1b&@\x1b$BF|\x1b(B", "日"),
        (b"\x1b$BF| K\\\r\nF|\x1b(B", "日 本\r\n日"),
        (b"\x1b$BF|K\\", "日本"),  # no return to ASCII
        (b"\x1b(H abc", " abc"),
    ],
)
def test_the_sets_of_iso_2022_jp(data: bytes, expected: str) -> None:
    assert text(data, b"iso-2022-jp") == (expected, [])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\xc6\xfc\xcb\xdcb\r\n", "a日本b\r\n"),
        (b"\x8e\xb1\x8e\xb2", "ｱｲ"),
        (b"\x8f\xb0\xa1", "丂"),
    ],
)
def test_the_sets_of_euc_jp(data: bytes, expected: str) -> None:
    assert text(data, b"x-euc-jp") == (expected, [])


@pytest.mark.parametrize(
    ("data", "charset", "expected"),
    [
        (b"\x1b$BF|K\x1b(B", b"iso-2022-jp", "日\ufffd"),
        (b"\x1b$B\x7e\x7e\x1b(B", b"iso-2022-jp", "\ufffd"),
        (b"a\x1bXb", b"iso-2022-jp", "a\ufffdXb"),
        (b"\x1b$BF|\x1b(B\xff", b"iso-2022-jp", "日\ufffd"),
        (b"\x1b$(D\x21\x21\x1b(B", b"iso-2022-jp", "\ufffd"),
        (b"\xc6\xfc\xcb", b"euc-jp", "日\ufffd"),
        (b"\xc6\xfc\x80\xc6\xfc", b"euc-jp", "日\ufffd日"),
        (b"\xfe\xfe", b"euc-jp", "\ufffd"),
    ],
)
def test_what_is_wrong_is_replaced(data: bytes, charset: bytes, expected: str) -> None:
    found, defects = text(data, charset)
    assert (found.replace("\ufffd\ufffd", "\ufffd"), defects) == (expected, ["charset-undecodable"])


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize(
    ("data", "charset"),
    [
        ("a日本ｱ\r\n".encode("euc_jp") + b"\x8f\xb0\xa1", b"euc-jp"),
        (b"a\x1b$BF| K\\\r\nF|\x1b(I1\x1b$(D0!\x1b(J\\\x1b(B", b"iso-2022-jp"),
        (b"\x1b$BF|K\x1b(B\x1b\xff\x1b$BF", b"iso-2022-jp"),
        (b"\xc6\xfc\x80\x8f\xb0\x8f\xb0\xa1\xcb", b"euc-jp"),
    ],
)
def test_a_slice_may_end_anywhere(monkeypatch: pytest.MonkeyPatch, size: int, data: bytes, charset: bytes) -> None:
    expected = text(data, charset)
    monkeypatch.setattr(mime_charsets, "_OWN_SLICE", size)
    assert text(data, charset) == expected


@pytest.mark.parametrize("charset", ["cp932", "euc_jp"])
def test_eight_bit_japanese_that_claims_to_be_iso_2022_jp_is_read(charset: str) -> None:
    assert text("お名前 見本太郎".encode(charset), b"iso-2022-jp") == ("お名前 見本太郎", ["charset-wrong"])


@pytest.mark.parametrize(("charset", "defect"), [(b"", "charset-guessed"), (b"utf-8", "charset-wrong")])
def test_the_escapes_of_iso_2022_jp_are_believed_more_than_the_charset(charset: bytes, defect: str) -> None:
    assert text(b"a \x1b$BF|\x1b(B", charset) == ("a 日", [defect])
    assert text(b"a \x1b$B\xe4", b"us-ascii")[0] == "a \x1b$Bä"
