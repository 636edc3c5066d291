"""The codecs of arguments and results: JSON, MSGPACK and RAW (docs/reference/wire.md, 'RPC over tcp:// or unix://').

Struct and dataclass fields have the same names in JSON and MSGPACK. Bytes are base64 text in JSON, bin in MSGPACK.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

import msgpack
import msgspec

from ..goridge import frame
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

    `decode(data, type)` returns a value of that type and raises ValueError, TypeError or RecursionError.
    `encode(result)` returns bytes and raises these, OverflowError or RPCError.
    """

    flag: int
    name: str
    decode: Callable[[bytes, Any], Any]
    encode: Callable[[Any], bytes]


def codec_flag(flags: int) -> int:
    """Return the codec flag of a frame that counts, 0 when it has none."""
    return next((flag for flag in PRIORITY if flags & flag), 0)


def codec_of(flags: int) -> Codec:
    """Return the codec of a frame. Raises RPCError for one that the host does not serve."""
    flag = codec_flag(flags)
    if flag not in CODECS:
        name = f"the codec {PRIORITY[flag]}" if flag else "a request without a codec flag"
        raise RPCError(f"rpc: {name} is not served, use {', '.join(codec.name for codec in CODECS.values())}")
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


def _encode_msgpack(result: object) -> bytes:
    return msgpack.packb(msgspec.to_builtins(result, builtin_types=(bytes, bytearray, memoryview)))


def _decode_raw(data: bytes, kind: object) -> bytes:
    if kind is not bytes:
        raise RPCError("unknown Raw payload type")
    return data


def _encode_raw(result: object) -> bytes:
    if isinstance(result, str):
        return result.encode()
    if not isinstance(result, (bytes, bytearray, memoryview)):
        raise RPCError("unknown Raw payload type")
    return bytes(result)


CODECS: Final = {
    codec.flag: codec
    for codec in (
        Codec(frame.JSON, "JSON", _decode_json, msgspec.json.encode),
        Codec(frame.MSGPACK, "MSGPACK", _decode_msgpack, _encode_msgpack),
        Codec(frame.RAW, "RAW", _decode_raw, _encode_raw),
    )
}
"""The served codecs, by flag."""
