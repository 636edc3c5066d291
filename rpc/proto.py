"""Protobuf messages as msgspec Structs: PHP's packages for RoadRunner speak them, with the codec PROTO.

What we want: a PHP client works with every host, and one Struct is the argument of all codecs. What does not work: the
library `protobuf`, whose generated classes are an argument of this codec alone, and which every host with PHP clients
would have to install. What we do: a `ProtoMessage` names the fields, and their numbers are 1, 2, ... in their order; a
`Number` in a field's annotation begins anew. Unknown fields, and ones of another wire type, are skipped, as proto3
demands. The tests compare every message with that library's.

The wire format: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from msgspec import Struct

from .bounds import MAX_ELEMENTS

_VARINT: Final = 0
_DELIMITED: Final = 2
_FIXED: Final = {1: 8, 5: 4}
"""Bytes of the values with a fixed length, by their wire types."""
_VARINT_BYTES: Final = 10
_NUMBER_BITS: Final = 64
_WIRE_TYPES: Final[dict[Any, int]] = {bool: _VARINT, int: _VARINT, str: _DELIMITED, bytes: _DELIMITED}


class ProtoMessage(Struct, frozen=True):
    """A message. Its fields have defaults, the zero values of proto3.

    A field is a `str`, `bytes`, `bool`, an `int` (int64 or int32), another ProtoMessage, a `list` of texts, bytes or
    messages, or a `dict` from texts to one of all these.
    """


class Number(NamedTuple):
    """The number of a field in its message, where it does not follow from the field before: `Annotated[int, ...]`."""

    number: int


M = TypeVar("M", bound=ProtoMessage)


class _Field(NamedTuple):
    """A field. `kind`: the type of its value, or of each of its values. `shape`: `list`, `dict`, or None for one."""

    name: str
    number: int
    kind: Any
    shape: type | None

    @property
    def wire_type(self) -> int:
        """How its values are on the wire."""
        return _WIRE_TYPES.get(self.kind, _DELIMITED) if self.shape is not dict else _DELIMITED


def decode(data: bytes, kind: type[M]) -> M:
    """Return a message. Raises ValueError for wrong bytes, and for more than `MAX_ELEMENTS` fields in all."""
    return cast(M, _Decoder().message(memoryview(data), kind))


def encode(message: ProtoMessage) -> bytes:
    """Return the bytes of a message. Raises OverflowError for a number of more than 64 bits."""
    found = bytearray()
    for field in _fields_of(type(message)).values():
        value = getattr(message, field.name)
        if field.shape is dict:
            for key, each in value.items():
                found += _encoded(field.number, _encoded(1, key) + _encoded(2, each))
        elif field.shape is list:
            for each in value:
                found += _encoded(field.number, each)
        elif value:
            found += _encoded(field.number, value)
    return bytes(found)


def _encoded(number: int, value: Any) -> bytes:
    """Return one field."""
    if isinstance(value, int):
        if not -(1 << _NUMBER_BITS - 1) <= value < 1 << _NUMBER_BITS - 1:
            raise OverflowError(f"{value} has more than 64 bits")
        return _varint(number << 3 | _VARINT) + _varint(value % (1 << _NUMBER_BITS))
    data: bytes = encode(value) if isinstance(value, ProtoMessage) else value
    if isinstance(value, str):
        data = value.encode()
    return _varint(number << 3 | _DELIMITED) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


class _Decoder:
    """Reads one message with all messages in it, and counts their fields."""

    def __init__(self) -> None:
        self._left = MAX_ELEMENTS

    def message(self, data: memoryview, kind: type[ProtoMessage]) -> ProtoMessage:
        found: dict[str, Any] = {}
        for field, value in self._values(data, _fields_of(kind)):
            if field.shape is dict:
                key, each = self._pair(value, field.kind)
                found.setdefault(field.name, {})[key] = each
            elif field.shape is list:
                found.setdefault(field.name, []).append(self._value(value, field.kind))
            else:
                found[field.name] = self._value(value, field.kind)
        return kind(**found)

    def _pair(self, data: Any, kind: Any) -> tuple[str, Any]:
        """Return one pair of a dict, which is a message on the wire."""
        found: list[Any] = ["", kind()]
        for field, value in self._values(data, {1: _Field("key", 1, str, None), 2: _Field("value", 2, kind, None)}):
            found[field.number - 1] = self._value(value, field.kind)
        return found[0], found[1]

    def _values(self, data: memoryview, fields: dict[int, _Field]) -> Sequence[tuple[_Field, Any]]:
        """Return the known fields of a message, and the number or the bytes of each."""
        found = []
        place = 0
        while place < len(data):
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {MAX_ELEMENTS} elements")
            tag, place = _read_varint(data, place)
            value, place = _read(data, place, tag & 7)
            field = fields.get(tag >> 3)
            if field is not None and field.wire_type == tag & 7:
                found.append((field, value))
        return found

    def _value(self, value: Any, kind: Any) -> Any:
        if kind is str:
            return str(value, "utf-8")
        if kind is bool:
            return bool(value)
        if kind is int:
            return value - (1 << _NUMBER_BITS) if value >> _NUMBER_BITS - 1 else value
        return bytes(value) if kind is bytes else self.message(value, kind)


@lru_cache
def _fields_of(kind: type[ProtoMessage]) -> dict[int, _Field]:
    """Return the fields of a message, by number."""
    hints = get_type_hints(kind, include_extras=True)
    fields: dict[int, _Field] = {}
    number = 0
    for name in kind.__struct_fields__:
        hint, number = hints[name], number + 1
        if get_origin(hint) is Annotated:
            hint, *notes = get_args(hint)
            number = next((note.number for note in notes if isinstance(note, Number)), number)
        shape = get_origin(hint)
        fields[number] = _Field(name, number, get_args(hint)[-1] if shape else hint, shape)
    return fields


def _read(data: memoryview, place: int, wire_type: int) -> tuple[int | memoryview, int]:
    """Return the value at `place`, and where it ends."""
    if wire_type == _VARINT:
        return _read_varint(data, place)
    if wire_type == _DELIMITED:
        length, place = _read_varint(data, place)
    elif wire_type in _FIXED:
        length = _FIXED[wire_type]
    else:
        raise ValueError(f"the wire type {wire_type} of a field is not understood")
    if length > len(data) - place:
        raise ValueError("it ends inside a field")
    return data[place : place + length], place + length


def _read_varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return the number at `place`, and where it ends."""
    number = 0
    for index, byte in enumerate(data[place : place + _VARINT_BYTES]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if number >> _NUMBER_BITS:
                break
            return number, place + index + 1
    raise ValueError("it has a number that is not whole, or has more than 64 bits")
