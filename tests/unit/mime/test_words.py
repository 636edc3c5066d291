"""The text of a header's value: encoded words, and what stands between them."""

from __future__ import annotations

import pytest

from rrpy.mime import words as mime_words


def text(value: bytes) -> tuple[str, list[str]]:
    defects: dict[str, None] = {}
    return mime_words.decode(value, defects), list(defects)


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
        (b"=?utf-8?q?=E4?=", "ä", ["charset-wrong"]),
        (b"=?utf-8?q?=C3=A4=E4?=", "ä\ufffd", ["charset-undecodable"]),
        ("Größe ".encode() + b"\xd0", "Größe \ufffd", ["charset-undecodable"]),
        (b"=?iso-2022-jp?b?grE=?=", "こ", ["charset-wrong"]),
        (b"\x1b$BF|\x1b(B", "日", ["charset-guessed"]),
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
