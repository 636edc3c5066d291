"""Bounds for the values in a request, checked before any of them is made.

What we want: a request costs memory and time by its bytes alone. What does not work: the decoders' own limits. An empty
array is one byte of msgpack and 72 bytes of memory, so that 16 MiB of them take 1.2 GB and 8 seconds.
What we do: count the elements of arrays and maps in the encoded bytes, in linear time. Bytes that are not well-formed
may pass: the decoder refuses them, and no later than at the same place.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

MAX_ELEMENTS: Final = 100_000
"""Elements of all arrays and maps of one argument together."""
MAX_DEPTH: Final = 100
"""Arrays and maps inside each other. An argument of fewer bytes cannot exceed it, nor `MAX_ELEMENTS`."""

_STRUCTURE: Final = b"[]{},"
_TEXT: Final = bytes(set(range(256)) - set(_STRUCTURE))


def check_json(data: bytes) -> None:
    """Raise ValueError for JSON with too many elements, or too deep."""
    if len(data) <= MAX_DEPTH:
        return
    opening = data.count(b"[") + data.count(b"{")
    if opening <= MAX_DEPTH and opening + data.count(b",") <= MAX_ELEMENTS:
        return  # also where some of them are inside texts
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if data.count(b'"') > 4 * MAX_ELEMENTS + 2:  # an element is two texts at most
        raise _too_many()
    structure = b"".join(data.split(b'"')[::2]).translate(None, _TEXT)
    if len(structure) - structure.count(b"]") - structure.count(b"}") > MAX_ELEMENTS:
        raise _too_many()
    depth = 0
    for byte in structure.translate(None, b","):
        depth += 1 if byte in b"[{" else -1
        if depth > MAX_DEPTH:
            raise _too_deep()
        if depth < 0:  # not well-formed
            return


def check_msgpack(data: bytes) -> None:
    """Raise ValueError for msgpack with too many elements, or too deep."""
    if len(data) <= MAX_DEPTH:
        return
    place = elements = 0
    missing = 1  # values that are still to come in the array or map around the place
    outer: list[int] = []  # and in those around that one
    with suppress(IndexError):  # the end of the data, or of the value
        while True:
            while not missing:
                missing = outer.pop()
            missing -= 1
            size, width, count = _HEADS[data[place]]
            if width:
                length = int.from_bytes(data[place + 1 : place + 1 + width], "big")
                if count:
                    count *= length
                else:
                    size += length
            place += size
            if count:
                elements += count
                if elements > MAX_ELEMENTS:
                    raise _too_many()
                outer.append(missing)
                if len(outer) > MAX_DEPTH:
                    raise _too_deep()
                missing = count


def _heads() -> list[tuple[int, int, int]]:
    """Return, for each first byte of a value: its size, the width of the length that follows, and the elements.

    The length counts bytes where there are no elements, and else the elements: one of an array, two of a map. An
    invalid byte is a value of one byte.
    """
    heads = [(1, 0, 0)] * 256
    for length in range(16):
        heads[0x80 + length] = (1, 0, 2 * length)
        heads[0x90 + length] = (1, 0, length)
    for length in range(32):
        heads[0xA0 + length] = (1 + length, 0, 0)
    for first, extra in ((0xC4, 0), (0xC7, 1)):  # bin; ext, which has a type too
        heads[first : first + 3] = [(1 + width + extra, width, 0) for width in (1, 2, 4)]
    heads[0xCA:0xCC] = [(5, 0, 0), (9, 0, 0)]
    for first in (0xCC, 0xD0):  # unsigned and signed integers
        heads[first : first + 4] = [(1 + width, 0, 0) for width in (1, 2, 4, 8)]
    heads[0xD4:0xD9] = [(2 + length, 0, 0) for length in (1, 2, 4, 8, 16)]
    heads[0xD9:0xDC] = [(1 + width, width, 0) for width in (1, 2, 4)]
    for first, each in ((0xDC, 1), (0xDE, 2)):
        heads[first : first + 2] = [(1 + width, width, each) for width in (2, 4)]
    return heads


_HEADS: Final = _heads()


def _too_many() -> ValueError:
    return ValueError(f"it has more than {MAX_ELEMENTS} elements")


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {MAX_DEPTH} deep")
