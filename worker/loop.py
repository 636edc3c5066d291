"""A worker's life: shake hands, answer requests one by one, stop when told (WIRE.md, 'Worker protocol').

It ends with the stop frame, with the end of its input (the host is gone), and with SIGTERM; each time after the request
that is running, and with status 0.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from ..goridge.frame import CONTROL, ERROR, Frame, FrameError
from ..goridge.relay import Relay
from .messages import Request, SoftError, as_parts

Handler = Callable[[Request], object]


def serve(handler: Handler, relay: Relay) -> int:
    """Serve until told to stop; return the exit status. The handler's SystemExit and KeyboardInterrupt pass through."""
    idle = False
    leaving = False

    def on_sigterm(_number: int, _stack: object) -> None:
        nonlocal leaving
        leaving = True
        if idle and not relay.ready():
            raise SystemExit(0)

    signal.signal(signal.SIGTERM, on_sigterm)
    try:
        while True:
            idle = True  # before the look at `leaving`, so that no signal falls between the two
            if leaving:
                return 0
            relay.wait()
            idle = False
            frame = relay.receive()
            if frame is None or not _take(frame, handler, relay):
                return 0
    except FrameError as error:
        sys.stderr.write(f"rrpy.worker: the host sent what is not a frame: {error}\n")
        return 1
    except BrokenPipeError:  # the host is gone
        return 0


def _take(frame: Frame, handler: Handler, relay: Relay) -> bool:
    """Act on a frame. Return False for the stop frame."""
    if frame.flags & CONTROL:
        if b'"stop"' in frame.payload:  # no `json` for this: every worker's start would pay for it
            return False
        relay.send(CONTROL, b'{"pid":%d}' % os.getpid())
    elif not frame.stream:  # a cancelled stream's STOP comes too late for a worker that does not stream
        _answer(frame, handler, relay)
    return True


def _answer(frame: Frame, handler: Handler, relay: Relay) -> None:
    try:
        split = frame.options[0] if frame.options else 0
        context, body = as_parts(handler(Request(frame.payload[:split], frame.payload[split:])))
    except SoftError as error:
        relay.send(ERROR, _text(error))
    except Exception as error:  # the handler's fault, whatever it is: the worker lives on
        from traceback import print_exc

        print_exc()
        relay.send(ERROR, f"{type(error).__name__}: ".encode() + _text(error))
    else:
        relay.send(0, context, body, options=(len(context),))


def _text(error: Exception) -> bytes:
    try:
        return str(error).encode("utf-8", "replace")
    except Exception:  # a __str__ that raises
        return b"(an error without a text)"
