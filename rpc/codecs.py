"""The codecs of arguments and results (docs/reference/wire.md, 'RPC over tcp:// or unix://').

JSON and MSGPACK carry every value. Struct and dataclass fields have the same names in both; bytes are base64 text in
JSON, bin in MSGPACK. RAW carries bytes or a text. PROTO carries protobuf messages (proto.py), for methods whose
argument and result are such messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import fields, is_dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, Final, NamedTuple, NoReturn, TypeVar, Union, get_args, get_origin

import msgpack
import msgspec

from ..goridge import frame
from . import proto
from .bounds import check_json, check_msgpack
from .errors import RPCError

T = TypeVar("T")

PRIORITY: Final = {
    frame.PROTO: "PROTO",
    frame.JSON: "JSON",
    frame.RAW: "RAW",
    frame.MSGPACK: "MSGPACK",
    frame.GOB: "GOB",
}
"""The codec flags and their names. When a frame has several, the first one here counts."""


class Codec(NamedTuple):
    """How the codec `name`, with the frame flag `flag`, reads an argument and writes a result.

    `general`: whether an empty argument stands for none. Another one refuses a method whose parameter it cannot fill.
    `decode(data, type)` returns a value of that type and raises ValueError, TypeError or RecursionError.
    `encode(result)` returns bytes and raises these, OverflowError or RPCError.
    """

    flag: int
    name: str
    decode: Callable[[bytes, Any], Any]
    encode: Callable[[Any], bytes]
    general: bool = True


def codec_flag(flags: int) -> int:
    """Return the codec flag of a frame that counts, 0 when it has none."""
    return next((flag for flag in PRIORITY if flags & flag), 0)


def codec_of(flags: int) -> Codec:
    """Return the codec of a frame. Raises RPCError for one that the host does not serve."""
    flag = codec_flag(flags)
    if flag not in CODECS:
        raise not_served(f"the codec {PRIORITY[flag]}" if flag else "a request without a codec flag")
    return CODECS[flag]


def _decode_json(data: bytes, kind: type[T]) -> T:
    check_json(data)
    return msgspec.json.decode(data, type=kind)


def _decode_msgpack(data: bytes, kind: type[T]) -> T:
    check_msgpack(data)
    try:
        # Without a limit of its own, unpackb limits every length to the bytes that are there.
        value = msgpack.unpackb(data, timestamp=3, strict_map_key=True, ext_hook=_refuse_extension)
    except OverflowError:
        raise ValueError("a timestamp is outside the years 1 to 9999") from None
    return msgspec.convert(value, kind, builtin_types=(bytes,), str_keys=True)


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code} ({len(data)} bytes) is not understood")


def _encode_json(result: object) -> bytes:
    return msgspec.json.encode(_whole(result))


def _encode_msgpack(result: object) -> bytes:
    return msgpack.packb(msgspec.to_builtins(_whole(result), builtin_types=(bytes, bytearray, memoryview)))


def _whole(value: Any) -> Any:
    """Return a result in which a dataclass is a dict of all its fields: msgspec has none whose value the class holds.

    It looks into lists, tuples and dicts, and not into Structs.
    """
    kind: Any = type(value)  # for mypy, which does not take a type for hashable
    if _is_whole(kind):
        return value
    if isinstance(value, (list, tuple)):
        return value if all(map(_is_whole, map(type, value))) else [_whole(each) for each in value]
    if isinstance(value, dict):
        return value if all(map(_is_whole, map(type, value.values()))) else {k: _whole(v) for k, v in value.items()}
    return {each.name: _whole(getattr(value, each.name)) for each in fields(value)}


@lru_cache
def _is_whole(kind: type) -> bool:
    """Return whether a value of this type can neither be a dataclass nor hold one."""
    return not issubclass(kind, (list, tuple, dict)) and not is_dataclass(kind)


def _decode_raw(data: bytes, kind: object) -> bytes | str:
    if kind is str:
        return data.decode()
    if kind is not bytes:
        raise RPCError("unknown Raw payload type")
    return data


def _encode_raw(result: object) -> bytes:
    if isinstance(result, str):
        return result.encode()
    if result is None:
        return b""
    if not isinstance(result, (bytes, bytearray, memoryview)):
        raise RPCError("unknown Raw payload type")
    return bytes(result)


def is_message(kind: object) -> bool:
    """Return whether the type of an argument, or of a result, is a message of protobuf. None is the empty one."""
    return kind is None or (isinstance(kind, type) and issubclass(kind, (proto.ProtoMessage, type(None))))


def gives_message(hint: object) -> bool:
    """Return whether a method with this annotation of its result gives messages of protobuf, now or awaited."""
    if get_origin(hint) in (Union, UnionType):
        return all(map(gives_message, get_args(hint)))
    return is_message(get_args(hint)[0] if get_origin(hint) is Awaitable else hint)


def _encode_proto(result: Any) -> bytes:
    return b"" if result is None else proto.encode(result)


def not_served(codec: str) -> RPCError:
    """Return the error for a codec that the host, or a method, does not serve."""
    return RPCError(f"rpc: {codec} is not served, use JSON, MSGPACK, RAW")


CODECS: Final = {
    codec.flag: codec
    for codec in (
        Codec(frame.JSON, "JSON", _decode_json, _encode_json),
        Codec(frame.MSGPACK, "MSGPACK", _decode_msgpack, _encode_msgpack),
        Codec(frame.RAW, "RAW", _decode_raw, _encode_raw, general=False),
        Codec(frame.PROTO, "PROTO", proto.decode, _encode_proto),
    )
}
"""The served codecs, by flag."""
