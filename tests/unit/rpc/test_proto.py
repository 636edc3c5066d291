"""Protobuf messages: the bytes of protobuf's own encoders, and bytes that are not a message."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from hypothesis import given
from hypothesis import strategies as st

from rrpy.rpc.app_logger import LogAttribute, LogEntry
from rrpy.rpc.bounds import MAX_ELEMENTS
from rrpy.rpc.proto import Number, ProtoMessage, decode, encode


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


class Inner(ProtoMessage, frozen=True):
    """A message in another one."""

    texts: list[str] = msgspec.field(default_factory=list)
    number: int = 0


class Every(ProtoMessage, frozen=True):
    """A field of each kind."""

    text: str = ""
    data: bytes = b""
    yes: bool = False
    number: Annotated[int, Number(6)] = 0
    inner: Inner = Inner()
    inners: list[Inner] = msgspec.field(default_factory=list)
    pieces: list[bytes] = msgspec.field(default_factory=list)
    texts: Annotated[dict[str, str], Number(2000)] = msgspec.field(default_factory=dict)
    numbers: dict[str, int] = msgspec.field(default_factory=dict)
    messages: dict[str, Inner] = msgspec.field(default_factory=dict)


PROTO = """
message Inner { repeated string texts = 1; int64 number = 2; }
message Every {
  string text = 1; bytes data = 2; bool yes = 3; int64 number = 6; Inner inner = 7; repeated Inner inners = 8;
  repeated bytes pieces = 9; map<string, string> texts = 2000; map<string, int64> numbers = 2001;
  map<string, Inner> messages = 2002;
}
"""


def library() -> Any:
    """Return the class Every of the library, made from what PROTO says."""
    file = descriptor_pb2.FileDescriptorProto(name="every.proto", package="t", syntax="proto3")
    for name, body in re.findall(r"message (\w+) \{(.*?)\n?\}\s", PROTO, re.DOTALL):
        message = file.message_type.add(name=name)
        for kind, field_name, number in re.findall(r"([\w<>, ]+?) (\w+) = (\d+);", body):
            mapped = re.fullmatch(r"map<string, (\w+)>", kind.strip())
            repeated, _, plain = kind.strip().rpartition(" ")
            if mapped:
                entry = message.nested_type.add(name=f"{field_name.capitalize()}Entry")
                entry.options.map_entry = True
                add(entry, "key", 1, "string")
                add(entry, "value", 2, mapped[1])
                add(message, field_name, int(number), f"{name}.{entry.name}", repeated=True)
            else:
                add(message, field_name, int(number), plain, repeated=bool(repeated))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Every"))


def add(message: Any, name: str, number: int, kind: str, *, repeated: bool = False) -> None:
    """Add a field to a message of the library."""
    added = message.field.add(name=name, number=number, label=3 if repeated else 1)
    types = {"string": 9, "bytes": 12, "bool": 8, "int64": 3}
    added.type = types.get(kind, 11)
    if kind not in types:
        added.type_name = f".t.{kind}"


LIBRARY = library()
TEXTS = st.text(max_size=20)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 300)
INNERS = st.builds(Inner, st.lists(TEXTS, max_size=3), NUMBERS)
EVERY = st.builds(
    Every,
    TEXTS,
    st.binary(max_size=200),
    st.booleans(),
    NUMBERS,
    INNERS,
    st.lists(INNERS, max_size=3),
    st.lists(st.binary(max_size=5), max_size=3),
    st.dictionaries(TEXTS, TEXTS, max_size=3),
    st.dictionaries(TEXTS, NUMBERS, max_size=3),
    st.dictionaries(TEXTS, INNERS, max_size=3),
)


@given(EVERY)
def test_the_library_reads_what_is_written_and_writes_what_is_read(message: Every) -> None:
    theirs = LIBRARY.FromString(encode(message))
    assert decode(theirs.SerializeToString(), Every) == message
    read = json_format.MessageToDict(
        theirs, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    read.setdefault("inner", {"texts": [], "number": "0"})
    assert msgspec.convert(read, Every, strict=False) == message


def test_a_number_that_has_no_place_is_an_error() -> None:
    with pytest.raises(OverflowError, match="has more than 64 bits"):
        encode(Every(number=2**63))


def test_a_pair_may_lack_its_key_or_its_value() -> None:
    assert decode(b"\x82\x7d\x00" + b"\x82\x7d\x03\x0a\x01k", Every) == Every(texts={"": "", "k": ""})


@given(st.binary(max_size=200))
def test_other_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        found = decode(data, Every)
    except ValueError:
        return
    assert decode(encode(found), Every) == found
