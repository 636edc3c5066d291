"""The goridge v3 frame codec: `encode`, and a `Decoder` that takes bytes in any cut. Pure, no I/O.

A frame on the wire, little endian (docs/reference/wire.md, 'Goridge frame'):

     0        1        2                 6                 10       11       12          12+4n
    +--------+--------+-----------------+-----------------+--------+--------+-----------+---------...
    | 1 | HL | flags  | payload length  | CRC-32 of 0..5  | stream |   0    | n options | payload
    +--------+--------+-----------------+-----------------+--------+--------+-----------+---------...

HL, the low nibble, is the header's length in 32-bit words: 3 + the number of options (0 to 10). The CRC covers the
first six bytes alone. The payload length does not count the options.

Errors: a `FrameError` is a fault of the peer. After one the next frame's position is unknown, so the caller must close
the connection (or end the worker). A `Decoder` that has raised raises the same error at every further call.

    FrameError
     +-- BadVersion        the first nibble is not 1: most often the peer printed text into the channel
     +-- BadHeaderLength   HL below 3 or above 13
     +-- BadChecksum       the CRC does not match
     +-- FrameTooLarge     the payload length exceeds the limit; nothing was allocated
     +-- TruncatedFrame    the stream ended inside a frame
"""

from __future__ import annotations

import struct
from collections import namedtuple
from zlib import crc32

TYPE_CHECKING = False  # without `typing`, whose import takes a third of a worker's start
if TYPE_CHECKING:
    from typing import Final, NamedTuple

    class _Fields(NamedTuple):
        flags: int
        payload: bytes = b""
        options: tuple[int, ...] = ()
        stream: int = 0
        context: bytes = b""
else:
    _Fields = namedtuple("_Fields", "flags payload options stream context", defaults=(b"", (), 0, b""))

VERSION: Final = 1
HEADER_SIZE: Final = 12
MIN_HEADER_WORDS: Final = 3
MAX_OPTIONS: Final = 10
MAX_PAYLOAD: Final = 0xFFFFFFFF

# Flags (byte 1).
CONTROL: Final = 0x01
RAW: Final = 0x04
JSON: Final = 0x08
MSGPACK: Final = 0x10
GOB: Final = 0x20
ERROR: Final = 0x40
PROTO: Final = 0x80

# Stream bits (byte 10).
STREAM: Final = 0x01
STOP: Final = 0x02
PING: Final = 0x04
PONG: Final = 0x08

_HEAD = struct.Struct("<BBI")
_FULL_HEADER = struct.Struct("<BBIIBB")
_OPTIONS = tuple(struct.Struct(f"<{count}I") for count in range(MAX_OPTIONS + 1))

_SMALL: Final = 4096
_JOINED: Final = 65536
"""The decoder joins pieces below the first size, in bytes, until together they have the second."""

SHOWN_BYTES: Final = 256
"""Bytes at fault that a `FrameError` keeps, so that an error message can show printed text."""


class FrameError(Exception):
    """The bytes are not a goridge frame. `data`: the first bytes at fault, at most `SHOWN_BYTES`."""

    def __init__(self, message: str, data: bytes = b"") -> None:
        super().__init__(message)
        self.data = data


class BadVersion(FrameError):
    """The version nibble is not 1."""

    def __init__(self, data: bytes) -> None:
        super().__init__(f"not a goridge frame: version {data[0] >> 4}, expected {VERSION}", data)


class BadHeaderLength(FrameError):
    """The header length nibble is out of range."""

    def __init__(self, data: bytes) -> None:
        words = data[0] & 0x0F
        most = MIN_HEADER_WORDS + MAX_OPTIONS
        super().__init__(f"goridge header of {words} words, expected {MIN_HEADER_WORDS} to {most}", data)


class BadChecksum(FrameError):
    """The CRC-32 does not match the first six bytes."""

    def __init__(self, data: bytes, found: int, expected: int) -> None:
        super().__init__(f"goridge header CRC is {found:#010x}, expected {expected:#010x}", data)


class FrameTooLarge(FrameError):
    """The payload length exceeds the reader's limit. `length`, `limit`: both in bytes.

    `missing`: bytes of the frame that have not arrived.
    """

    def __init__(self, data: bytes, length: int, limit: int, missing: int = 0) -> None:
        super().__init__(f"goridge frame of {length} bytes is over the limit of {limit} bytes", data)
        self.length = length
        self.limit = limit
        self.missing = missing


class TruncatedFrame(FrameError):
    """The stream ended inside a frame."""

    def __init__(self, data: bytes, got: int, expected: int) -> None:
        super().__init__(f"the stream ended inside a goridge frame: {got} of {expected} bytes", data)


class Frame(_Fields):
    """One frame.

    `flags`: CONTROL, a codec, ERROR, or-ed. `payload`: the bytes after the options. `options`: at most 10 numbers of
    32 bits. `stream`: the stream bits. `context`: the first bytes of the payload, where a `Decoder` with `split` keeps
    them apart. A frame that is encoded and decoded is equal to the first one.
    """

    __slots__ = ()


def header(flags: int, length: int, options: tuple[int, ...] = (), stream: int = 0) -> bytes:
    """Return the header and the options of a frame whose payload is `length` bytes.

    For a writer that sends a large payload without a copy of it.
    Raises ValueError for a number that the format cannot carry.
    """
    count = len(options)
    if count > MAX_OPTIONS:
        raise ValueError(f"a goridge frame carries at most {MAX_OPTIONS} options, got {count}")
    try:
        head = _HEAD.pack(VERSION << 4 | (MIN_HEADER_WORDS + count), flags, length)
        fixed = head + struct.pack("<IBB", crc32(head), stream, 0)
        return fixed + _OPTIONS[count].pack(*options) if count else fixed
    except struct.error as error:
        raise ValueError(
            f"a goridge frame cannot carry flags={flags} length={length} options={options} stream={stream}: {error}"
        ) from None


def encode(frame: Frame) -> bytes:
    """Return the frame's bytes. Raises ValueError for a number that the format cannot carry."""
    length = len(frame.context) + len(frame.payload)
    return header(frame.flags, length, frame.options, frame.stream) + frame.context + frame.payload


class Decoder:
    """Turns bytes, cut anywhere, into frames.

    `limit`: the largest payload accepted, in bytes; checked before anything of that size is allocated. `split`: for the
    requests and answers of a worker. A frame with one option has that many bytes of its payload in `context` and the
    rest in `payload`. With an option past the payload it stays in one piece.
    Call `feed` with the bytes that arrive, and `eof` when the stream ends. A payload is copied once, out of the pieces
    that arrived.
    """

    __slots__ = ("_error", "_have", "_limit", "_need", "_pieces", "_split")

    def __init__(self, limit: int = MAX_PAYLOAD, *, split: bool = False) -> None:
        self._limit = limit
        self._split = split
        self._pieces: list[bytes | bytearray | memoryview] = []  # bytes that arrived and are not yet a whole frame
        self._have = 0  # bytes in the pieces
        self._need = HEADER_SIZE  # bytes that must be there before the next look
        self._error: FrameError | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes and return the frames that they complete, in order (often none).

        Raises FrameError when the bytes are not a frame. Frames before the fault in the same call are lost with it:
        their peer cannot be trusted any further.
        """
        if self._error is not None:
            raise self._error
        frames: list[Frame] = []
        start = 0
        if self._pieces:
            self._keep(data)
            if self._have < self._need:
                return frames
            start = len(data) - (self._have - self._need)
            frame = self._gather()
            if frame is None:
                data, start = b"".join(self._pieces), 0
            else:
                frames.append(frame)
            self._drop()
        size = len(data)
        try:
            while size - start >= HEADER_SIZE:
                need = self._frame_size(data, start)
                if size - start < need:
                    self._need = need
                    self._keep(memoryview(data)[start:])
                    return frames
                frames.append(self._frame(data, start, start + need))
                start += need
            if start < size:
                # A wrong first byte is reported at once: twelve may never arrive.
                if data[start] not in _FIRST_BYTES:
                    raise _wrong_first_byte(data, start)
                self._keep(memoryview(data)[start:])
        except FrameError as error:
            self._error = error
            raise
        return frames

    @property
    def pending(self) -> bool:
        """Whether a frame has begun and is not whole yet."""
        return bool(self._pieces)

    def eof(self) -> None:
        """Take note that the stream has ended. Raises TruncatedFrame inside a frame."""
        if self._error is not None:
            raise self._error
        if self._pieces:
            self._error = TruncatedFrame(_cut(self._pieces, 0, SHOWN_BYTES), self._have, self._need)
            raise self._error

    def _keep(self, data: bytes | memoryview) -> None:
        """Keep a piece. Small ones are joined, so that a peer that sends single bytes costs no more memory."""
        pieces = self._pieces
        if len(data) >= _SMALL:
            pieces.append(data)
        elif pieces and isinstance(last := pieces[-1], bytearray) and len(last) < _JOINED:
            last += data
        else:
            pieces.append(bytearray(data))
        self._have += len(data)

    def _drop(self) -> None:
        self._pieces = []
        self._have = 0
        self._need = HEADER_SIZE

    def _gather(self) -> Frame | None:
        """Return the frame at the start of the pieces; None when its header is not whole in the first piece."""
        first = self._pieces[0]
        body = (first[0] & 0x0F) * 4
        if self._need == HEADER_SIZE or len(first) < body:
            return None
        options = _read_options(first, 0)
        split = self._where_to_split(options, self._need - body)
        context, payload = _cut(self._pieces, body, body + split), _cut(self._pieces, body + split, self._need)
        return Frame(first[1], payload, options, first[10], context)

    def _frame(self, data: bytes, start: int, end: int) -> Frame:
        """Return the frame that is whole in `data`."""
        body = split = start + (data[start] & 0x0F) * 4
        options = _read_options(data, start)
        if self._split:
            split += self._where_to_split(options, end - body)
        return Frame(data[start + 1], data[split:end], options, data[start + 10], data[body:split])

    def _where_to_split(self, options: tuple[int, ...], length: int) -> int:
        return options[0] if self._split and len(options) == 1 and options[0] <= length else 0

    def _frame_size(self, data: bytes, start: int) -> int:
        first, _flags, length, found, _stream, _zero = _FULL_HEADER.unpack_from(data, start)
        if first not in _FIRST_BYTES:
            raise _wrong_first_byte(data, start)
        expected = crc32(data[start : start + 6])
        if found != expected:
            raise BadChecksum(bytes(data[start : start + SHOWN_BYTES]), found, expected)
        size: int = (first & 0x0F) * 4 + length
        if length > self._limit:
            missing = max(0, size - (len(data) - start))
            raise FrameTooLarge(bytes(data[start : start + SHOWN_BYTES]), length, self._limit, missing)
        return size


_FIRST_BYTES: Final = frozenset(VERSION << 4 | MIN_HEADER_WORDS + options for options in range(MAX_OPTIONS + 1))


def _wrong_first_byte(data: bytes, start: int) -> FrameError:
    """Return the error for a first byte that is not one of `_FIRST_BYTES`."""
    shown = bytes(data[start : start + SHOWN_BYTES])
    return BadVersion(shown) if data[start] >> 4 != VERSION else BadHeaderLength(shown)


def _read_options(data: bytes | bytearray | memoryview, start: int) -> tuple[int, ...]:
    count = (data[start] & 0x0F) - MIN_HEADER_WORDS
    return _OPTIONS[count].unpack_from(data, start + HEADER_SIZE) if count else ()


def _cut(pieces: list[bytes | bytearray | memoryview], start: int, end: int) -> bytes:
    """Return the bytes from `start` to `end` of the joined pieces, copied once."""
    found = []
    for piece in pieces:
        if start < len(piece) and end > 0:
            found.append(memoryview(piece)[max(start, 0) : end])
        start -= len(piece)
        end -= len(piece)
    return b"".join(found)
