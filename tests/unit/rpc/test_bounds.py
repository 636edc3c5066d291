"""The bounds of a request's values: what exceeds them is refused before anything is made of it."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrpy.goridge.frame import JSON, MSGPACK
from rrpy.rpc import bounds
from rrpy.rpc.bounds import MAX_DEPTH, MAX_ELEMENTS, check_json, check_msgpack
from rrpy.rpc.codecs import CODECS

SIZE = 16 * 1024 * 1024
CHECKS = {JSON: check_json, MSGPACK: check_msgpack}

TOO_MANY = {
    "empty arrays": (MSGPACK, b"\xdd" + SIZE.to_bytes(4) + b"\x90" * SIZE),
    "empty maps": (MSGPACK, b"\xdd" + SIZE.to_bytes(4) + b"\x80" * SIZE),
    "numbers": (MSGPACK, b"\xdd" + SIZE.to_bytes(4) + b"\x01" * SIZE),
    "arrays of fifteen": (MSGPACK, b"\xdd" + SIZE.to_bytes(4) + (b"\x9f" + b"\x00" * 15) * (SIZE // 16)),
    "nested claims": (MSGPACK, b"\xdd\x00\xff\xff\xf0" * 1000 + b"\x00" * SIZE),
    "empty arrays in JSON": (JSON, b"[" + b"[]," * (SIZE // 3) + b"[]]"),
    "numbers in JSON": (JSON, b"[" + b"1," * (SIZE // 2) + b"1]"),
    "texts in JSON": (JSON, b"[" + b'"",' * (SIZE // 3) + b"1]"),
    "objects in JSON": (JSON, b"[" + b'{"a":1},' * (SIZE // 8) + b"1]"),
    "objects with quotes": (JSON, b"[" + b'{"\\"\\\\":"\\\\"},' * (SIZE // 15) + b"1]"),
}
TOO_DEEP = {
    "arrays": (MSGPACK, b"\x91" * SIZE),
    "maps": (MSGPACK, b"\x81\x00" * (SIZE // 2)),
    "arrays in JSON": (JSON, b"[" * (MAX_ELEMENTS - 1)),
    "objects in JSON": (JSON, b'{"a":' * (MAX_ELEMENTS - 1)),
}


@contextmanager
def allocating_at_most(limit: int) -> Iterator[None]:
    """Fail where the block holds more than `limit` bytes of Python's memory at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] <= limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("flag", "data"), TOO_MANY.values(), ids=TOO_MANY)
def test_too_many_elements_are_refused_before_they_take_memory(flag: int, data: bytes) -> None:
    """16 MiB of empty arrays took 1.2 GB and 8 seconds."""
    with (
        allocating_at_most(4 * SIZE),  # copies of JSON's bytes without its texts
        pytest.raises(ValueError, match=rf"^it has more than {MAX_ELEMENTS} elements$"),
    ):
        CODECS[flag].decode(data, Any)


@pytest.mark.parametrize(("flag", "data"), TOO_DEEP.values(), ids=TOO_DEEP)
def test_too_deep_a_nesting_is_refused_before_it_takes_memory(flag: int, data: bytes) -> None:
    with allocating_at_most(SIZE), pytest.raises(ValueError, match=rf"^it is nested more than {MAX_DEPTH} deep$"):
        CODECS[flag].decode(data, Any)


WITHIN = [
    "a" * SIZE,
    '[{",' * (SIZE // 4),
    '"\\' * (SIZE // 4),
    list(range(MAX_ELEMENTS - 1)),
    [""] * (MAX_ELEMENTS - 1),
    [{"a": "b"}] * (MAX_ELEMENTS // 3 - 1),
    {str(number): "x" for number in range(MAX_ELEMENTS // 2 - 1)},
]


@pytest.mark.parametrize("value", WITHIN, ids=range(len(WITHIN)))
def test_large_texts_and_long_lists_pass(value: Any) -> None:
    assert CODECS[JSON].decode(json.dumps(value).encode(), Any) == value
    assert CODECS[MSGPACK].decode(msgpack.packb(value), Any) == value


@pytest.mark.parametrize("flag", CHECKS)
def test_a_value_of_the_greatest_depth_passes_and_a_deeper_one_does_not(flag: int) -> None:
    deep: Any = "x" * MAX_DEPTH
    for _ in range(MAX_DEPTH):
        deep = [deep]
    encode = {JSON: lambda value: json.dumps(value).encode(), MSGPACK: msgpack.packb}[flag]
    assert CODECS[flag].decode(encode(deep), Any) == deep
    with pytest.raises(ValueError, match="nested more than"):
        CODECS[flag].decode(encode([deep]), Any)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
)
texts = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{},"\\ a', max_size=8),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text('{},"\\a'), inner, max_size=20),
)


@pytest.mark.usefixtures("untraced")
@given(value=values, end=st.binary(max_size=3))
def test_msgpack_is_counted_as_it_is_decoded(value: Any, end: bytes) -> None:
    data = msgpack.packb(value) + end
    assert_counted(MSGPACK, data, elements_of(value, 2, 0), depth_of(value, 0))


@given(value=texts, end=st.binary(max_size=3))
def test_json_is_counted_as_it_is_decoded(value: Any, end: bytes) -> None:
    data = json.dumps(value).encode()
    assert_counted(JSON, data, elements_of(value, 1, 1), depth_of(value, 1))


def assert_counted(flag: int, data: bytes, elements: int, depth: int) -> None:
    """The check passes with the limits that a value needs, and with none that is lower."""
    if len(data) <= depth:  # it cannot exceed them, and is not looked at
        return
    assert fault(flag, data, elements, depth) == ""
    if depth:
        assert "deep" in fault(flag, data, elements, depth - 1)
    if elements > 0 and len(data) > depth:
        assert "elements" in fault(flag, data, elements - 1, depth)


def fault(flag: int, data: bytes, elements: int, depth: int) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "MAX_ELEMENTS", elements)
        patch.setattr(bounds, "MAX_DEPTH", depth)
        try:
            CHECKS[flag](data)
        except ValueError as error:
            return str(error)
    return ""


def elements_of(value: Any, of_a_map: int, of_an_empty_one: int) -> int:
    if not isinstance(value, (list, dict)):
        return 0
    inner = [*value.values()] if isinstance(value, dict) else value
    own = len(inner) * (of_a_map if isinstance(value, dict) else 1) or of_an_empty_one
    return own + sum(elements_of(each, of_a_map, of_an_empty_one) for each in inner)


def depth_of(value: Any, of_an_empty_one: int) -> int:
    if not isinstance(value, (list, dict)):
        return 0
    inner = [*value.values()] if isinstance(value, dict) else value
    return 1 + max((depth_of(each, of_an_empty_one) for each in inner), default=0) if inner else of_an_empty_one


@given(data=st.binary(max_size=400))
def test_any_bytes_pass_or_are_a_value_error(data: bytes) -> None:
    for check in CHECKS.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bounds, "MAX_DEPTH", 3)
            with suppress(ValueError):
                check(data)
