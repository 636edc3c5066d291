"""Big5 and GBK: what Python's codecs lack, and which characters they have for others."""

from __future__ import annotations

import pytest

from rrpy.mime.charsets import SLICE, decode


def text(data: bytes, charset: bytes) -> tuple[str, list[str]]:
    defects: dict[str, None] = {}
    return decode(data, charset, defects), list(defects)


@pytest.mark.parametrize("charset", [b"gbk", b"gb2312", b"GB18030"])
def test_0x80_is_the_euro_sign_of_gbk(charset: bytes) -> None:
    data = "价格 ".encode("gbk") + b"\x805\x80\x80"
    assert text(data, charset) == ("价格 €5€€", [])
    assert text(b"\x80\xff\x80", charset) == ("€\ufffd€", ["charset-undecodable"])


@pytest.mark.parametrize(
    ("data", "character"),
    [
        (b"\xa3\xe1", "€"),
        (b"\xa3\xc0", "␀"),
        (b"\x87\xa1", "𥣞"),
        (b"\x87\xdf", "鿋"),
        (b"\x8f\xcc", "覩"),
        (b"\xa1\x45", "‧"),
        (b"\xa1\xe3", "\uff5e"),
        (b"\xa2\x44", "￥"),
        (b"\xc6\xe7", "ぁ"),
    ],
)
def test_big5_is_that_of_whatwg(data: bytes, character: str) -> None:
    assert text("價 ".encode("big5") + data, b"big5") == ("價 " + character, [])


def test_it_is_so_wherever_a_slice_ends() -> None:
    for shift in range(3):
        for data, character, charset in ((b"\xa3\xe1", "€", b"big5"), (b"\x80", "€", b"gbk")):
            count = SLICE // len(data) + 5
            assert text(b"x" * shift + data * count, charset) == ("x" * shift + character * count, [])


def test_what_is_in_no_table_is_replaced() -> None:
    assert text(b"\x87\xff\xa4\x40", b"big5") == ("\ufffd\ufffd一", ["charset-undecodable"])
