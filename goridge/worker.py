"""The worker protocol: the frames that a host and its worker send each other (docs/reference/wire.md). Pure, no I/O.

    host                                                    worker
    CONTROL|JSON  {"pid":1}               ------>                           handshake
                                          <------  CONTROL  {"pid":2}
    [len(context)]  context + body        ------>                           a request
                                          <------  [len(context)]  context + body
                                       or <------  ERROR  text              the request alone fails
                                       or <------  STREAM  context + body   a part; more frames follow
                                       or <------  LEAVING, no body         not touched; the worker leaves
    PONG, empty                           ------>                           the reply to a part with PING
    STOP, empty                           ------>                           end the stream
    CONTROL|JSON  {"stop":true}           ------>                           finish and exit with status 0

A number in brackets is the frame's one option: where the context ends and the body begins.
Standard library only, and nothing that slows the start of a Python worker.
"""

from __future__ import annotations

from .frame import CONTROL, JSON, PONG, STOP, Frame, encode, header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

LEAVING: Final = b'{"stop":true}'
"""The context of an answer without a body: the worker leaves, and another worker can run the request."""

STOP_FRAME: Final = encode(Frame(CONTROL | JSON, b'{"stop":true}'))
"""The host's demand that the worker exits."""

CANCEL_FRAME: Final = encode(Frame(0, stream=STOP))
"""The host's demand that the worker ends its stream."""

PONG_FRAME: Final = encode(Frame(0, stream=PONG))
"""The host's reply to a part with PING."""


# For the host.


def host_handshake(pid: int) -> bytes:
    """Return the frame of the host's half of the handshake. `pid`: the host's process."""
    return encode(Frame(CONTROL | JSON, pid_payload(pid)))


def worker_pid(frame: Frame) -> int:
    """Return the process id that a worker's half of the handshake gives. Raises ValueError for any other frame."""
    if not frame.flags & CONTROL:
        raise ValueError("not a CONTROL frame")
    from json import loads  # not at import: a worker needs none

    try:
        answer = loads(frame.payload.decode())
    except RecursionError:
        raise ValueError("its JSON is nested too deep") from None
    pid = answer.get("pid") if isinstance(answer, dict) else None
    if type(pid) is not int:
        raise ValueError("its `pid` is missing or not a number")
    return pid


def request_pieces(context: bytes, body: bytes) -> list[bytes]:
    """Return the frame of a request in pieces, none of them empty. Raises ValueError above 4 GiB."""
    split = len(context)
    pieces = [header(0, split + len(body), (split,))]
    if context:  # an empty piece keeps some versions of asyncio busy for ever
        pieces.append(context)
    if body:
        pieces.append(body)
    return pieces


def answer_fault(frame: Frame) -> str:
    """Return the fault of an answer without the flag ERROR, as a sentence; empty for a correct one.

    `frame`: from a `Decoder` with `split`.
    """
    if frame.flags & CONTROL:
        return "it answered a request with a CONTROL frame"
    if len(frame.options) != 1:
        return f"its answer has {len(frame.options)} options, expected 1"
    if frame.options[0] != len(frame.context):
        return f"its answer's context ends at byte {frame.options[0]} of {len(frame.payload)}"
    return ""


def is_leaving(answer: Frame) -> bool:
    """Say whether an answer means: the worker leaves and did not touch the request.

    `answer`: from a `Decoder` with `split`.
    """
    return answer.context == LEAVING and not answer.payload


# For the worker.


def pid_payload(pid: int) -> bytes:
    """Return the payload of either half of the handshake. `pid`: the sender's process."""
    return b'{"pid":%d}' % pid


def is_stop(frame: Frame) -> bool:
    """Say whether a frame of the host demands that the worker exits."""
    return bool(frame.flags & CONTROL) and b'"stop"' in frame.payload


def request_parts(frame: Frame) -> tuple[bytes, bytes]:
    """Return the context and the body of a request. An option past the payload makes all of it the context."""
    if frame.context:
        return frame.context, frame.payload
    split = frame.options[0] if frame.options else 0
    return frame.payload[:split], frame.payload[split:]
