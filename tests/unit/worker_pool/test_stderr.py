from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.log import Log

from rrpy.worker_pool.stderr import BURST, KEPT_LINES, LINE_COST, MAX_LINE, RATE, LineSplitter, OutputLog


def lines_of(*chunks: bytes) -> list[str]:
    written: list[str] = []
    lines = LineSplitter(written.append)
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
    lines = LineSplitter(written.append)
    for _ in range(100):
        lines.feed(b"x" * 10_000)
    assert [len(piece) for piece in written] == [MAX_LINE] * (1_000_000 // MAX_LINE)
    lines.feed(b"\n")
    assert sum(map(len, written)) == 1_000_000


def logged(*chunks: tuple[int, bytes]) -> tuple[list[tuple[str, str, dict[str, Any]]], OutputLog]:
    log = Log()
    output = OutputLog(log)
    output.pid = 7
    for fd, data in chunks:
        output.feed(fd, data)
    output.flush()
    return log.lines, output


def test_the_last_lines_are_kept_as_they_came_and_no_more():
    _, output = logged((2, b"".join(b"ERROR: %d\n" % number for number in range(100))))
    assert list(output.tail) == [f"ERROR: {number}" for number in range(100 - KEPT_LINES, 100)]


# A worker that floods its log.


class Flooded:
    """A worker's output, and a clock that the test turns. Its lines are 99 bytes, numbered from 0."""

    def __init__(self) -> None:
        self.log = Log()
        self.now = 0.0
        self.output = OutputLog(self.log, lambda: self.now)
        self._next = 0

    def write(self, size: int, *, chunk: int = 64 * 1024) -> int:
        """Write this many bytes of lines, in chunks that cut them; return the number of the next line."""
        numbers = range(self._next, self._next + size // 99)
        data = b"".join(b"%98d\n" % number for number in numbers)
        for start in range(0, len(data), chunk):
            self.output.feed(2, data[start : start + chunk])
        self._next = numbers.stop
        return numbers.stop

    @property
    def numbers(self) -> list[int]:
        return [int(message) for level, message, _ in self.log.lines if level == "info"]

    @property
    def left_out(self) -> int:
        return sum(int(keys["lines"]) for keys in self.log.keys("lines of a worker were left out"))


@pytest.mark.parametrize("chunk", [1000, 65536, 262144])
def test_a_worker_that_floods_its_log_loses_lines_that_are_counted(chunk):
    flooded = Flooded()
    count = flooded.write(8 * BURST, chunk=chunk)
    # A chunk may go over the share.
    assert len(flooded.numbers) <= (BURST + 3 * chunk) // (99 + LINE_COST) + 1
    assert flooded.numbers == list(range(len(flooded.numbers)))
    assert len(flooded.log.keys("worker writes too much: its lines are left out")) == 1
    assert [int(line) for line in flooded.output.tail] == list(range(count - KEPT_LINES, count))
    flooded.output.flush()
    assert len(flooded.numbers) + flooded.left_out == count


def test_a_worker_has_its_share_of_the_log_again_after_a_while():
    flooded = Flooded()
    first = flooded.write(8 * BURST)
    flooded.now += BURST / RATE + 1
    count = flooded.write(BURST // 8)
    assert flooded.numbers[-1] == count - 1
    assert flooded.left_out + len(flooded.numbers) == count
    assert set(range(first, count)) <= set(flooded.numbers)
    assert len(flooded.log.keys("lines of a worker were left out")) == 1


def test_a_line_that_never_ends_is_left_out_too():
    flooded = Flooded()
    for _ in range(100):
        flooded.output.feed(2, b"x" * MAX_LINE)
    assert len(flooded.log.of("info")) <= BURST // MAX_LINE + 1
    flooded.now += BURST / RATE + 1
    flooded.output.feed(2, b"its end\nafter it\n")
    flooded.output.flush()
    assert flooded.log.of("info")[-1][0] == "after it"
    assert flooded.left_out == 1


def test_a_flood_of_one_worker_takes_nothing_from_another():
    flooded, other = Flooded(), Flooded()
    flooded.write(8 * BURST)
    assert len(flooded.numbers) < other.write(BURST // 8) * 8
    assert other.left_out == 0


def test_two_streams_do_not_break_each_other_s_lines():
    lines, _ = logged((1, b"one "), (2, b"two "), (1, b"after one\n"), (2, b"after two\n"))
    assert [message for _, message, _ in lines] == ["one after one", "two after two"]


def test_the_pid_of_a_line_is_the_host_s_and_its_other_keys_are_the_worker_s():
    lines, _ = logged((2, b'{"level": "warn", "msg": "low", "pid": 1, "left": 3}\n'))
    assert lines == [("warning", "low", {"left": 3, "pid": 7})]


def test_a_continued_line_of_one_stream_says_nothing_of_the_other_stream():
    lines, _ = logged((2, b"ERROR: out of paper\n"), (1, b"  indented\n"), (2, b"  at the printer\n"))
    assert [level for level, _, _ in lines] == ["error", "info", "error"]


def test_the_last_lines_keep_the_message_of_json_and_any_other_line_as_it_came():
    _, output = logged((2, b'{"level": "error", "msg": "out of paper"}\nERROR:root:no ink\n'))
    assert list(output.tail) == ["out of paper", "ERROR:root:no ink"]
