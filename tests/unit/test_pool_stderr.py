from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rrpy.worker_pool.stderr import KEPT_LINES, MAX_LINE, Lines


def lines_of(*chunks: bytes) -> list[str]:
    written: list[str] = []
    lines = Lines(written.append)
    for chunk in chunks:
        lines.feed(chunk)
    lines.flush()
    return written


@given(st.binary(max_size=300).map(lambda data: data.replace(b"\x00", b"\n")), st.lists(st.integers(1, 50)))
def test_the_lines_do_not_depend_on_how_the_bytes_are_cut(data, sizes):
    chunks, start = [], 0
    for size in sizes:
        chunks.append(data[start : start + size])
        start += size
    assert lines_of(*chunks, data[start:]) == lines_of(data)


def test_ends_of_lines_are_cut_off_and_empty_lines_left_out():
    assert lines_of(b"one\r\n\n  \ntwo\nthree") == ["one", "two", "three"]


def test_what_is_not_utf8_is_replaced():
    assert lines_of(b"caf\xe9\n") == ["caf\N{REPLACEMENT CHARACTER}"]


def test_a_line_without_an_end_is_passed_on_in_pieces_and_not_kept_in_memory():
    written: list[str] = []
    lines = Lines(written.append)
    for _ in range(100):
        lines.feed(b"x" * 10_000)
    assert [len(piece) for piece in written] == [MAX_LINE] * (1_000_000 // MAX_LINE)
    lines.feed(b"\n")
    assert sum(map(len, written)) == 1_000_000


def test_the_last_lines_are_kept_and_no_more():
    lines = Lines(lambda line: None)
    lines.feed(b"".join(b"%d\n" % number for number in range(100)))
    assert list(lines.last) == [str(number) for number in range(100 - KEPT_LINES, 100)]
