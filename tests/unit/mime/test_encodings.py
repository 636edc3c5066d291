"""base64, quoted-printable and uuencode: clean data is not touched, broken data is repaired and said to be."""

from __future__ import annotations

import base64
import binascii
import random

import pytest

from rrpy.mime import encodings as mime_encodings
from rrpy.mime.charsets import SLICE

BYTES = random.Random(5).randbytes(3 * SLICE + 1)


def printable(data: bytes) -> tuple[bytes, list[str]]:
    defects: dict[str, None] = {}
    padded = b"=" + data + b"="  # what is outside the range is not looked at
    return mime_encodings.decode_quoted_printable(padded, 1, len(padded) - 1, defects), list(defects)


def uu(data: bytes) -> tuple[bytes, list[str]]:
    defects: dict[str, None] = {}
    padded = b"begin 1 x\n" + data + b"\nend\n"
    return mime_encodings.decode_uuencode(padded, 10, len(padded) - 5, defects), list(defects)


def repaired(data: bytes) -> bytes:
    assert mime_encodings.base64_size(data, 0, len(data)) == -1
    return mime_encodings.repair_base64(data, 0, len(data))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 57, 58, 1000, SLICE, 3 * SLICE, 3 * SLICE + 1])
@pytest.mark.parametrize("width", [76, 75, 4, 1_000_000])
@pytest.mark.parametrize("newline", [b"\r\n", b"\n", b" \t\n"])
def test_clean_base64_is_measured_decoded_and_put_in_one_line(size: int, width: int, newline: bytes) -> None:
    content = BYTES[:size]
    line = base64.b64encode(content)
    data = b"A" + b"".join(line[at : at + width] + newline for at in range(0, len(line), width)) + b"=="
    span = (1, len(data) - 2)
    assert mime_encodings.base64_size(data, *span) == size
    assert mime_encodings.base64_line(data, *span) == line
    assert mime_encodings.decode_base64(data, *span) == content


@pytest.mark.parametrize("size", [0, 1, 2, 3, SLICE // 4 * 3, SLICE, 3 * SLICE + 1])
def test_bytes_are_encoded_in_one_line(size: int) -> None:
    assert mime_encodings.encode_base64(b"x" + BYTES[:size] + b"x", 1, 1 + size) == base64.b64encode(BYTES[:size])


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"SGVsbG8", b"Hello"),  # no padding
        (b"SGVsbG8==", b"Hello"),  # too much
        (b"SG!Vs\x00bG\xff8=", b"Hello"),  # foreign bytes
        (b"SGVsbG8gQ", b"Hello "),  # a lone last sign
        (b"SGVsbG8=SGVsbG8=", b"HelloHello"),  # two blocks
        (b"QQ==QUI=QUJD", b"AABABC"),
        (b"QQ==\r\nQUI", b"AAB"),
        (b"SG=VsbG8=", b"Hello"),  # padding that closes nothing
        (b"=SGVsbG8", b"Hello"),
        (b"QUJD=", b"ABC"),
        (b"====", b""),
        (b"Q", b""),
        (b"Q===", b""),
        (b"-_-_", b""),
    ],
)
def test_broken_base64_is_repaired(data: bytes, content: bytes) -> None:
    assert repaired(data) == content


def test_a_repair_goes_on_over_its_slices() -> None:
    line = base64.b64encode(BYTES)
    assert repaired(line[:-2]) == BYTES[: len(line[:-2]) // 4 * 3 + 1]
    assert repaired(b"*" + line) == BYTES
    assert repaired(b"QQ==" * SLICE) == b"A" * SLICE


def test_padding_in_the_middle_of_much_base64_is_no_clean_base64() -> None:
    assert repaired(b"QQ==" + b"QUJD" * SLICE) == b"A" + b"ABC" * SLICE
    assert repaired(b"QQ=" + b" " * 2 * SLICE + b"=") == b"A"


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"", b""),
        (b"a=20b=3D", b"a b="),
        (b"soft=\r\nbreak", b"softbreak"),
        (b"soft=\nbreak", b"softbreak"),
        (b"cut off=", b"cut off"),
        (b"=c3=A4", b"\xc3\xa4"),
        (b"8 bit: \xe4\r\n", b"8 bit: \xe4\r\n"),
        (b"a_b", b"a_b"),
        (b"soft= \t\r\nbreak", b"softbreak"),
        (b"cut off= \t", b"cut off"),
        (b"a \r\nb\t\r\nc \t\nd ", b"a\r\nb\r\nc\nd"),
        (b" \t \r\n \n\t\n", b"\r\n\n\n"),
        (b"a=20\r\nb =20\t\r\n c", b"a \r\nb  \r\n c"),
        (b"a \rb \t.", b"a \rb \t."),
    ],
)
def test_clean_quoted_printable_is_decoded(data: bytes, content: bytes) -> None:
    assert printable(data) == (content, [])


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"a=b", b"a=b"),
        (b"a==b", b"a==b"),
        (b"==41", b"=A"),
        (b"100=\rsure\n", b"100=\rsure\n"),
        (b"soft=\r\r\nbreak", b"softbreak"),
        (b"=4", b"=4"),
        (b"= b", b"= b"),
    ],
)
def test_an_equals_that_begins_no_escape_stands_for_itself(data: bytes, content: bytes) -> None:
    assert printable(data) == (content, ["quoted-printable-repaired"])


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_much_quoted_printable_is_decoded_in_slices(newline: bytes) -> None:
    lines = [BYTES[at : at + 25] for at in range(0, len(BYTES), 25)]
    data = (b"=" + newline).join(b"".join(b"=%02X" % byte for byte in line) for line in lines)
    assert printable(data) == (BYTES, [])


def test_blanks_at_the_ends_of_lines_are_dropped_in_slices_too() -> None:
    lines = 2 * SLICE // 8
    assert printable(b"word \t\r\n" * lines + b"end  ") == (b"word\r\n" * lines + b"end", [])


def test_no_slice_cuts_an_escape() -> None:
    escapes = b"".join(b"=%02X" % byte for byte in BYTES[: SLICE + 7])
    for shift in range(3):
        assert printable(b"x" * shift + escapes) == (b"x" * shift + BYTES[: SLICE + 7], [])
    assert printable(b"=" * SLICE + b"==41")[0] == b"=" * SLICE + b"=A"
    assert printable(b"=" * (SLICE + 1))[0] == b"=" * SLICE


def labelled(data: bytes, is_text: bool) -> tuple[bytes, list[str]]:
    """Return the content of a body that claims to be base64."""
    defects: dict[str, None] = {}
    padded = b"A\n" + data + b"\nA"
    source, start, end, size = mime_encodings.decode("base64", padded, 2, 2 + len(data), defects, is_text)
    content = mime_encodings.decode_base64(source, start, end) if size >= 0 else source[start:end]
    return content, list(defects)


LINE = base64.b64encode(b"x" * 57)


@pytest.mark.parametrize(
    "words",
    [
        b"Nobody encoded this sentence, whatever the header says.",
        b"Dear all,\r\n\r\nDonaudampfschifffahrt\r\nis a word.\r\n",
        b"Hello!",
        b"Test mail",
        "Grüße aus Köln".encode(),
        b"<p>Hello</p>",
        b"https://example.com/path",
    ],
)
def test_words_that_claim_to_be_base64_stay_words(words: bytes) -> None:
    assert labelled(words, True) == (words, ["base64-missing"])


@pytest.mark.parametrize("words", [b"one two three", b"----", b"a, b\r\nc, d\r\n"])
def test_a_file_of_words_stays_as_it_is(words: bytes) -> None:
    assert labelled(words, False) == (words, ["base64-missing"])


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
@pytest.mark.parametrize("footer", [b"-- \nThe list\nhttps://example.com/list", b"_______\nAnna\nList of lists"])
@pytest.mark.parametrize("last", [b"", b"SGVsbG8=", b"SGVsbA==", b"SGVsbG9v"])
def test_words_after_base64_are_kept_in_a_text_and_dropped_from_a_file(
    last: bytes, footer: bytes, newline: bytes
) -> None:
    coded = b"\n".join([LINE, LINE, last, b""]).replace(b"\n", newline)
    footer = footer.replace(b"\n", newline)
    content = base64.b64decode(LINE + LINE + last)
    assert labelled(coded + footer, False) == (content, ["base64-repaired"])
    found, defects = labelled(coded + footer, True)
    assert (found.startswith(content), found[len(content) :].strip(), defects) == (True, footer, ["base64-repaired"])


def test_words_before_base64_are_kept_likewise() -> None:
    data = b"This is a message, in parts:\n" + LINE + b"\n" + LINE
    assert labelled(data, True) == (b"This is a message, in parts:\n" + b"x" * 114, ["base64-repaired"])
    assert labelled(data, False) == (b"x" * 114, ["base64-repaired"])


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"QUJD RA==", b"ABCD"),
        (b"QUJD\r\n RA==", b"ABCD"),
        (b"SGVsbG8", b"Hello"),
        (b"SGVs!bG8g*\n>Qm9i\n", b"Hello Bob"),
        (b"", b""),
        (b"====", b""),
    ],
)
def test_what_is_base64_is_decoded_though_it_is_damaged(data: bytes, content: bytes) -> None:
    for is_text in (True, False):
        found, defects = labelled(data, is_text)
        assert (found, set(defects) <= {"base64-repaired"}) == (content, True)


def uuencoded(content: bytes, newline: bytes = b"\n") -> bytes:
    lines = [binascii.b2a_uu(content[at : at + 45]).replace(b"\n", newline) for at in range(0, len(content), 45)]
    return b"begin 644 cat.bin" + newline + b"".join(lines) + b"`" + newline + b"end" + newline


@pytest.mark.parametrize("size", [0, 1, 44, 45, 46, 100_000])
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_uuencode_is_decoded(size: int, newline: bytes) -> None:
    assert uu(newline * 2 + uuencoded(BYTES[:size], newline) + newline) == (BYTES[:size], [])


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"begin 644 f\n#0V%T\n", b"Cat"),  # no end
        (b"begin 644 f\n#0V%Tgarbage\n#0V%T\nend\n", b"CatCat"),
        (b"begin 644 f\n#0V%\nend\n", b"Ca@"),  # blanks at its end were cut off
        (b"begin 644 f\n\x7f\x7f\n#0V%T\nend\n", b"Cat"),
        (b"A file:\nbegin 644 f\n#0V%T\nend\n", b"Cat"),
    ],
)
def test_broken_uuencode_is_repaired(data: bytes, content: bytes) -> None:
    assert uu(data) == (content, ["uuencode-repaired"])


@pytest.mark.parametrize("data", [b"", b"hello", b"begin 644 f", b"beginning\n#0V%T"])
def test_what_is_no_uuencode_stays_as_it_is(data: bytes) -> None:
    assert uu(data) == (data, ["uuencode-missing"])


def test_short_lines_of_uuencode_do_not_grow() -> None:
    content, _ = uu(b"begin 644 f\n" + b"M\n" * 100_000)
    assert len(content) < 400_000
