"""Protobuf messages: the bytes of protobuf's own encoders, and bytes that are not a message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrpy.rpc.app_logger import LogAttribute, LogEntry
from rrpy.rpc.bounds import MAX_ELEMENTS
from rrpy.rpc.proto import decode


def field(number: int, value: bytes) -> bytes:
    """A field with a length, of fewer than 128 bytes."""
    return bytes([number << 3 | 2, len(value)]) + value


ENTRY = field(1, b"hello") + field(2, field(1, b"k") + field(2, "wert ü".encode()))


@pytest.mark.parametrize(
    ("data", "entry"),
    [
        (b"", LogEntry()),
        (ENTRY, LogEntry("hello", [LogAttribute("k", "wert ü")])),
        (
            field(2, b"") + field(1, b"a") + field(1, b"b") + field(2, field(2, b"v")),
            LogEntry("b", [LogAttribute(), LogAttribute("", "v")]),
        ),
        (b"\x0a\x85\x80\x00hello", LogEntry("hello")),  # a length in more bytes than it needs
        (b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + ENTRY, LogEntry("hello", [LogAttribute("k", "wert ü")])),
        (b"\x19" + bytes(8) + b"\x1d" + bytes(4) + field(3, b"later") + b"\x08\x01" + field(1, b"x"), LogEntry("x")),
        (field(1, b"abc") + b"\x82\x7d\x01z", LogEntry("abc")),
    ],
    ids=["empty", "an entry", "the last text wins", "a long varint", "a number", "unknown fields", "a large number"],
)
def test_it_reads_a_message(data: bytes, entry: LogEntry) -> None:
    assert decode(data, LogEntry) == entry


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x0a", "a number that is not whole"),
        (b"\x0a\x05hell", "ends inside a field"),
        (b"\x0a\xff\xff\xff\xff\x0f", "ends inside a field"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "a number that is not whole"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "more than 64 bits"),
        (b"\x19" + bytes(7), "ends inside a field"),
        (b"\x0b", "the wire type 3"),
        (b"\x0f", "the wire type 7"),
        (field(1, b"\xff"), "can't decode byte 0xff"),
        (field(2, b"\x0a\x05x"), "ends inside a field"),
        (field(2, b"") * (MAX_ELEMENTS + 1), "more than 100000 elements"),
    ],
)
def test_what_is_not_a_message_is_an_error(data: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        decode(data, LogEntry)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_else(data: bytes) -> None:
    found: Any = None
    try:
        found = decode(data, LogEntry)
    except ValueError:
        return
    assert isinstance(found, LogEntry)
