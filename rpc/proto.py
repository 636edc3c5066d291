"""Protobuf messages, read into msgspec Structs: PHP's packages for RoadRunner send them with the codec PROTO.

What we want: a few flat messages of texts. What does not work: the library `protobuf`, which needs generated code and a
compiled extension for them. What we do: the fields of a `ProtoMessage` have the numbers 1, 2, ... in their order. A
field is a text, or a list of further messages. Other fields are skipped, as proto3 demands.

The wire format: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar, cast, get_args, get_type_hints

from msgspec import Struct

from .bounds import MAX_ELEMENTS

_VARINT: Final = 0
_DELIMITED: Final = 2
_FIXED: Final = {1: 8, 5: 4}
"""Bytes of the values with a fixed length, by their wire types."""
_VARINT_BYTES: Final = 10
_NUMBER_BITS: Final = 64


class ProtoMessage(Struct, frozen=True):
    """A message. Its fields are `str`, or `list` of another ProtoMessage, and have defaults."""


M = TypeVar("M", bound=ProtoMessage)


class _Field(NamedTuple):
    """A field. `message`: the kind of its items; None for a text."""

    name: str
    message: type[ProtoMessage] | None


def decode(data: bytes, kind: type[M]) -> M:
    """Return a message. Raises ValueError for wrong bytes, and for more than `MAX_ELEMENTS` fields in all."""
    left = MAX_ELEMENTS

    def message(data: memoryview, kind: type[ProtoMessage]) -> ProtoMessage:
        nonlocal left
        fields = _fields_of(kind)
        found: dict[str, Any] = {}
        place = 0
        while place < len(data):
            left -= 1
            if left < 0:
                raise ValueError(f"it has more than {MAX_ELEMENTS} elements")
            tag, place = _varint(data, place)
            number, wire_type = tag >> 3, tag & 7
            start, place = _value(data, place, wire_type)
            if wire_type != _DELIMITED or not 0 < number <= len(fields):
                continue
            field, value = fields[number - 1], data[start:place]
            if field.message is None:
                found[field.name] = str(value, "utf-8")
            else:
                found.setdefault(field.name, []).append(message(value, field.message))
        return kind(**found)

    return cast(M, message(memoryview(data), kind))


@lru_cache
def _fields_of(kind: type[ProtoMessage]) -> Sequence[_Field]:
    hints = get_type_hints(kind)
    return [_Field(name, next(iter(get_args(hints[name])), None)) for name in kind.__struct_fields__]


def _value(data: memoryview, place: int, wire_type: int) -> tuple[int, int]:
    """Return where the value begins and ends that is at `place`."""
    if wire_type == _VARINT:
        return place, _varint(data, place)[1]
    if wire_type == _DELIMITED:
        length, place = _varint(data, place)
    elif wire_type in _FIXED:
        length = _FIXED[wire_type]
    else:
        raise ValueError(f"the wire type {wire_type} of a field is not understood")
    if length > len(data) - place:
        raise ValueError("it ends inside a field")
    return place, place + length


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return the number at `place`, and where it ends."""
    number = 0
    for index, byte in enumerate(data[place : place + _VARINT_BYTES]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if number >> _NUMBER_BITS:
                break
            return number, place + index + 1
    raise ValueError("it has a number that is not whole, or has more than 64 bits")
