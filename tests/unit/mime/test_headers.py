"""Header blocks: what is a field, and where a block ends."""

from __future__ import annotations

import pytest

from rrpy.mime import headers as mime_headers
from rrpy.mime.headers import MAX_BYTES, MAX_FIELDS


def block(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes, list[str]]:
    """Return the fields of a block, the text after it, and the defects."""
    defects: dict[str, None] = {}
    padded = b"A: b\n" + data + b"\n\nC: d"
    read = mime_headers.read_block(padded, 5, 5 + len(data), defects)
    assert not read.limited
    return read.fields, padded[read.body : 5 + len(data)], list(defects)


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
        (b"A: b\r\n c\r\n\td\r\n\r\n", b"b c d"),
        (b"A: b\n c\n\n", b"b c"),
        (b"A: b\r\n   c\r\n\r\n", b"b c"),
        (b"A: b \t\r\n \t c\r\n\r\n", b"b c"),
        (b"A: b\r\n \r\n c\r\n\r\n", b"b c"),
        (b"A: b\r\n c", b"b c"),
        (b"A:\r\n\tb\tc\r\n", b"b\tc"),
        (b'A: "b\r\n\tc"\r\n', b'"b c"'),
    ],
)
def test_a_fold_is_one_blank(data: bytes, value: bytes) -> None:
    assert block(data) == ([(b"A", value)], b"", [])


BAD = [b"no header", b">From x", b"a b: c", b"\xe4: b", b": b", b"\x00: b"]


@pytest.mark.parametrize("line", [*BAD, b" folded"])
def test_a_bad_first_line_is_skipped_when_a_header_follows(line: bytes) -> None:
    assert block(line + b"\r\nA: b\r\n\r\nbody") == ([(b"A", b"b")], b"body", ["header-malformed"])


@pytest.mark.parametrize("line", BAD)
@pytest.mark.parametrize("rest", [b"", b"\r\n", b"\r\nnor this", b"\r\n\r\nC: d"])
def test_else_the_body_begins_with_it(line: bytes, rest: bytes) -> None:
    assert block(line + rest) == ([], line + rest, ["header-malformed"])


@pytest.mark.parametrize("rest", [b"\r\nC: d\r\n\r\nbody", b"\r\n\r\nbody", b"\n\nbody"])
@pytest.mark.parametrize(
    ("lines", "value"),
    [
        (b"no header", b"b no header"),
        (b'boundary="c:d"', b'b boundary="c:d"'),
        (b"by c; Tue, 1 Jan 2030 12:00:00", b"b by c; Tue, 1 Jan 2030 12:00:00"),
        (b"c,\r\nd", b"b c, d"),
        (b"c\r\n\td", b"b c d"),
        (b">From x", b"b"),
        (b"a b: c", b"b"),
        (b"\xe4: b", b"b"),
        (b": b", b"b"),
        (b": b\r\nc", b"b c"),
    ],
)
def test_a_bad_line_belongs_to_the_header_before_it(lines: bytes, value: bytes, rest: bytes) -> None:
    fields, body, defects = block(b"A: b\r\n" + lines + rest)
    assert (fields[0], body, defects) == ((b"A", value), b"body", ["header-malformed"])
    assert fields[1:] == ([(b"C", b"d")] if b"C: d" in rest else [])


@pytest.mark.parametrize("rest", [b"", b"\r\n", b"\r\nnor this", b"\r\n--c\r\n\r\n"])
def test_a_body_without_its_empty_line_begins_with_it(rest: bytes) -> None:
    assert block(b"A: b\r\nno header" + rest) == ([(b"A", b"b")], b"no header" + rest, ["header-malformed"])


@pytest.mark.parametrize("name", [b"Subject", b"subject", b"Comments", b"Content-Description"])
def test_text_for_people_does_not_go_on_without_an_indent(name: bytes) -> None:
    assert block(name + b": b\r\nno header\r\n\r\n") == ([(name, b"b")], b"", ["header-malformed"])


@pytest.mark.parametrize("indent", [b" ", b"\t", b" \t  "])
def test_the_first_header_may_have_an_indent(indent: bytes) -> None:
    assert block(indent + b"A: b\r\nC: d\r\n\r\nbody") == ([(b"A", b"b"), (b"C", b"d")], b"body", [])


def test_raw_values_become_utf_8_when_their_charset_is_known() -> None:
    data = "A: Новости\r\nB: ".encode("koi8-r") + "Новости\r\nC: =?x?q?".encode() + b"\xee?=\r\nD: d\r\n\r\n"
    fields = mime_headers.read_block(data, 0, len(data), {}, b"koi8-r").fields
    assert fields == [
        (b"A", "Новости".encode()),
        (b"B", "Новости".encode()),
        (b"C", b"=?x?q?\xee?="),
        (b"D", b"d"),
    ]


def test_a_bad_line_is_bad_with_all_that_is_folded_to_it() -> None:
    assert block(b"bad\r\n line\r\nA: b\r\n\r\n") == ([(b"A", b"b")], b"", ["header-malformed"])
    assert block(b"a b: c\r\n d: e\r\nA: b\r\n\r\n") == ([(b"A", b"b")], b"", ["header-malformed"])


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
    assert (read.limited, read.body) == (True, MAX_BYTES)
    assert len(read.fields) == MAX_BYTES // len(line) + 1
    assert list(defects) == ["headers-limit"]


def test_a_value_is_read_up_to_the_limit_of_its_block() -> None:
    data = b"A: b\r\nC: " + b"d" * (MAX_BYTES - 20) + b"\r\nE: f\r\n\r\n"
    read = mime_headers.read_block(data, 0, len(data), {})
    assert ([len(value) for _, value in read.fields], read.limited) == ([1, MAX_BYTES - 20, 1], False)


@pytest.mark.parametrize("fold", [b"", b"\r\n "])
@pytest.mark.parametrize("character", ["ä".encode(), b"\x80", b"b"])
def test_a_value_beyond_it_is_cut_and_its_rest_is_kept_unread(fold: bytes, character: bytes) -> None:
    data = b"A:" + fold + character * MAX_BYTES + b"\r\nC: d\r\n\r\nbody"
    defects: dict[str, None] = {}
    read = mime_headers.read_block(data, 0, len(data), defects)
    ((name, value),) = read.fields
    assert (name, read.limited, list(defects)) == (b"A", True, ["headers-limit"])
    assert len(value) % len(character) == 0 and MAX_BYTES - 8 <= read.body <= MAX_BYTES  # no character is cut
    assert (b"A:" + fold + value + data[read.body :]) == data
