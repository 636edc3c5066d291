"""The codecs: what goes in comes out, and what cannot is an error and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rpc.host import ONE, Connection, Range, encoded_result

from rrpy.goridge.frame import CONTROL, GOB, JSON, MSGPACK, PROTO, RAW
from rrpy.rpc.app_logger import LogEntry
from rrpy.rpc.codecs import CODECS, codec_flag, codec_of
from rrpy.rpc.errors import RPCError
from rrpy.rpc.registry import Registry

BOTH = [JSON, MSGPACK]


def test_the_first_flag_in_the_order_of_priority_counts() -> None:
    order = [PROTO, JSON, RAW, MSGPACK, GOB]
    for place, flag in enumerate(order):
        assert codec_flag(sum(order[place:]) | CONTROL) == flag
    assert codec_flag(CONTROL) == 0


@pytest.mark.parametrize(("flags", "asked"), [(GOB, "the codec GOB"), (0, "without")])
def test_a_codec_that_is_not_served_is_an_error_that_names_those_which_are(flags: int, asked: str) -> None:
    with pytest.raises(RPCError, match=f"{asked}.* is not served, use JSON, MSGPACK, RAW"):
        codec_of(flags)


LOGGED = LogEntry("b")


async def later(entry: LogEntry) -> LogEntry:
    return entry


class Service:
    """Methods that protobuf can carry, `carried`, and others."""

    def carried(self) -> None:
        pass

    def carried_argument(self, entry: LogEntry) -> None:
        pass

    def carried_result(self) -> LogEntry:
        return LogEntry("a")

    def carried_both(self, entry: LogEntry = LOGGED) -> LogEntry:
        return entry

    def carried_later(self) -> LogEntry | Awaitable[LogEntry]:
        return later(LOGGED)

    def text(self, name: str) -> None:
        raise AssertionError(name)

    def anything(self, argument: Any) -> LogEntry:
        raise AssertionError(argument)

    def result(self, entry: LogEntry) -> bool:
        raise AssertionError(entry)

    def unsaid(self):
        raise AssertionError

    def unknown(self) -> Absent:  # noqa: F821 - as under TYPE_CHECKING
        raise AssertionError


@pytest.mark.anyio
async def test_protobuf_is_for_methods_whose_argument_and_result_are_its_messages() -> None:
    registry = Registry()
    registry.add("s", Service())
    for method in registry.describe():
        if method.name.startswith("s.Carried"):
            result = await encoded_result(method, b"", PROTO)
            assert result == {
                "s.CarriedResult": b"\x0a\x01a",
                "s.CarriedBoth": b"\x0a\x01b",
                "s.CarriedLater": b"\x0a\x01b",
            }.get(method.name, b"")
            assert await encoded_result(method, b"\x0a\x01c", PROTO) == {
                "s.CarriedResult": b"\x0a\x01a",
                "s.CarriedBoth": b"\x0a\x01c",
                "s.CarriedLater": b"\x0a\x01b",
            }.get(method.name, b"")
            continue
        with pytest.raises(RPCError, match=r"^rpc: the codec PROTO is not served, use JSON, MSGPACK, RAW$"):
            await encoded_result(method, b"", PROTO)


@pytest.mark.parametrize("flag", BOTH)
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, bool),
        (-3, int),
        (1.5, float),
        ("ü", str),
        (b"\x00\xff", bytes),
        ([1, 2], list[int]),
        ({"a": 1}, dict[str, int]),
        (Range(1, 2), Range),
        (ONE, Connection),
        (None, int | None),
        (datetime(2024, 1, 2, tzinfo=UTC), datetime),
    ],
    ids=repr,
)
def test_a_value_survives(flag: int, value: object, kind: Any) -> None:
    codec = CODECS[flag]
    assert codec.decode(codec.encode(value), kind) == value


@pytest.mark.parametrize("flag", BOTH)
def test_a_key_that_is_a_number_is_sent_as_text(flag: int) -> None:
    codec = CODECS[flag]
    assert codec.decode(codec.encode({"1": "a"}), dict[int, str]) == {1: "a"}


def test_fields_have_their_wire_names_in_both_codecs() -> None:
    names = ["uuid", "remote_addr", "from", "to", "authenticated", "username"]
    assert list(msgpack.unpackb(CODECS[MSGPACK].encode([ONE]))[0]) == names
    assert (
        CODECS[JSON].encode([ONE]).startswith(b'[{"uuid":"u1","remote_addr":"127.0.0.1:40000","from":"a@x.io","to":[')
    )


@pytest.mark.parametrize("data", [b"raw\xff", bytearray(b"raw\xff"), memoryview(b"raw\xff")])
def test_bytes_are_base64_in_json_and_bin_in_msgpack(data: object) -> None:
    assert CODECS[JSON].encode(data) == b'"cmF3/w=="'
    assert CODECS[MSGPACK].encode(data) == b"\xc4\x04raw\xff"
    assert CODECS[RAW].encode(data) == b"raw\xff"


def test_text_is_not_bytes_in_msgpack() -> None:
    with pytest.raises(ValueError, match="Expected `bytes`, got `str`"):
        CODECS[MSGPACK].decode(msgpack.packb("abcd"), bytes)


def test_a_msgpack_timestamp_is_a_time() -> None:
    then = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert CODECS[MSGPACK].decode(msgpack.packb(then, datetime=True), datetime) == then


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63), 253402300800, -62135596801])
@pytest.mark.parametrize("wrap", [b"", b"\x91"])
def test_a_timestamp_out_of_range_is_an_error_that_says_so(seconds: int, wrap: bytes) -> None:
    """It was an internal error, with a traceback in the log."""
    data = wrap + b"\xc7\x0c\xff" + bytes(4) + seconds.to_bytes(8, signed=True)
    for kind in (Any, datetime, dict[str, int]):
        with pytest.raises(ValueError, match=r"^a timestamp is outside the years 1 to 9999$"):
            CODECS[MSGPACK].decode(data, kind)


KINDS = [
    Any,
    str,
    bytes,
    int,
    float,
    datetime,
    list[Any],
    dict[str, Any],
    dict[int, Range],
    Range,
    Connection,
    bool | None,
]
bits = st.sampled_from(
    [b"\xd6\xff", b"\xd7\xff", b"\xc7\x0c\xff", b"\x81\xa5first", b"\x92", b'{"first":', b"[", b"1e999"]
)


@given(data=st.lists(bits | st.binary(max_size=12), max_size=6).map(b"".join))
def test_any_bytes_are_a_value_or_an_error_of_the_client(data: bytes) -> None:
    for codec in CODECS.values():
        for kind in KINDS if codec.flag != PROTO else [LogEntry]:
            with suppress(ValueError, TypeError, RecursionError, RPCError):
                codec.decode(data, kind)


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        b"\xc3\xc3",
        b"\x93\x01",
        b"\xa2\xff\xff",
        b"\x91" * 5000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x81\x01\x01",
        b"\x81\x91\x01\x01",
        b"\xd4\x05\x01",
        b"\xc7\x05\xff12345",
    ],
    ids=[
        "not a byte of msgpack",
        "trailing bytes",
        "half an array",
        "bad utf-8",
        "too deep",
        "a huge array",
        "a huge map",
        "a huge bin",
        "a key that is not a text",
        "a key that is an array",
        "an extension",
        "a bad timestamp",
    ],
)
def test_bad_msgpack_is_an_error(data: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        CODECS[MSGPACK].decode(data, Any)


@pytest.mark.parametrize("data", [b"tru", b"true true", b"\xff", b'"\xff"', b"[" * 100000, b"NaN"])
def test_bad_json_is_an_error(data: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        CODECS[JSON].decode(data, Any)


def test_raw_is_bytes_in_and_bytes_or_text_out() -> None:
    raw = CODECS[RAW]
    assert raw.decode(b"\x00x", bytes) == b"\x00x"
    assert raw.decode("ü".encode(), str) == "ü"
    with pytest.raises(UnicodeDecodeError):
        raw.decode(b"\xff", str)
    assert raw.encode("ü") == "ü".encode()
    assert raw.encode(None) == b""
    for kind in (Any, None, bytes | None):
        with pytest.raises(RPCError, match=r"^unknown Raw payload type$"):
            raw.decode(b"x", kind)
    with pytest.raises(RPCError, match=r"^unknown Raw payload type$"):
        raw.encode(7)


@dataclass
class Report:
    """Two of its fields have their values in the class alone, where msgspec does not look."""

    name: str
    kind: str = field(init=False, default="plain")
    lines: list[str] = field(default_factory=list)


@dataclass
class LongReport(Report):
    parts: list[Report] = field(default_factory=list)
    by_name: dict[str, Report] = field(default_factory=dict)


@pytest.mark.parametrize("flag", BOTH)
def test_a_dataclass_has_all_its_fields(flag: int) -> None:
    codec = CODECS[flag]
    part = {"name": "b", "kind": "plain", "lines": []}
    whole = {"name": "a", "kind": "plain", "lines": ["x"], "parts": [part], "by_name": {"b": part}}
    report = LongReport("a", ["x"], [Report("b")], {"b": Report("b")})
    for result, expected in ((report, whole), ([report, 1], [whole, 1]), ({"r": (report,)}, {"r": [whole]})):
        assert codec.decode(codec.encode(result), Any) == expected
