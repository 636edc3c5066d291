"""Requests and responses as goridge frames (docs/reference/wire.md, 'RPC over tcp:// or unix://'). Pure, no I/O.

    request    codec          [sequence, len(method)]   method + encoded argument
    response   codec          the same                  method + encoded result
    error      codec | ERROR  the same                  method + text, plain UTF-8

The client chooses the sequence: responses may arrive in another order.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from ..goridge.frame import ERROR, HEADER_SIZE, MIN_HEADER_WORDS, SHOWN_BYTES, Frame
from .errors import BadRequest

MAX_METHOD: Final = 1024
"""Bytes of a method's name: it is in every response, and in the text of most errors."""

_OPTIONS: Final = struct.Struct("<II")
_NAME_AT: Final = HEADER_SIZE + _OPTIONS.size


class Message(NamedTuple):
    """A request or a response. `flags`: the codec, and ERROR. `method`: its name as sent. `body`: all after it."""

    flags: int
    sequence: int
    method: bytes
    body: bytes

    @property
    def name(self) -> str:
        """The method's name as text; bytes that are not UTF-8 are escaped."""
        return self.method.decode(errors="backslashreplace")

    def frame(self) -> Frame:
        """Return the message's frame."""
        return Frame(self.flags, self.method + self.body, (self.sequence, len(self.method)))

    def result(self, codec: int, body: bytes) -> Message:
        """Return the response to this request. `codec`: the flag of the body's codec."""
        return self._replace(flags=codec, body=body)

    def error(self, codec: int, text: str) -> Message:
        """Return the error response to this request."""
        return self._replace(flags=codec | ERROR, body=text.encode(errors="backslashreplace"))


def read_message(frame: Frame) -> Message:
    """Return the frame's message. Raises BadRequest when the frame cannot be one."""
    if len(frame.options) != 2:
        raise BadRequest(f"an rpc frame has two options (sequence, length of the method), got {len(frame.options)}")
    sequence, length = frame.options
    if length > len(frame.payload):
        raise BadRequest(f"the method's length of {length} bytes is past the payload of {len(frame.payload)} bytes")
    if length > MAX_METHOD:
        raise BadRequest(f"the method's name has {length} bytes, more than {MAX_METHOD}")
    return Message(frame.flags, sequence, frame.payload[:length], frame.payload[length:])


def read_start(data: bytes) -> Message | None:
    """Return the message of a frame that has only begun, with an empty body. None: its name is not whole yet.

    `data`: the first bytes of the frame, of which a FrameTooLarge keeps `SHOWN_BYTES`. Raises BadRequest when the frame
    cannot be a message, or its name is not in these bytes.
    """
    if (data[0] & 0x0F) != MIN_HEADER_WORDS + 2:
        raise BadRequest(f"an rpc frame has two options, got {(data[0] & 0x0F) - MIN_HEADER_WORDS}")
    if len(data) < _NAME_AT:
        return None
    sequence, length = _OPTIONS.unpack_from(data, HEADER_SIZE)
    end = _NAME_AT + length
    if end > SHOWN_BYTES:
        raise BadRequest(f"the method's name has {length} bytes")
    return Message(data[1], sequence, data[_NAME_AT:end], b"") if len(data) >= end else None
