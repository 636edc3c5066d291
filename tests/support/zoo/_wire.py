"""What a misbehaving worker needs to behave until it sins: frames on the bare descriptors, no SDK."""

import os
import time

from rrpy.goridge.frame import CONTROL, Frame, encode
from rrpy.goridge.relay import Relay

relay = Relay(0, 1)


def write(data):
    while data:
        data = data[os.write(1, data) :]


def send(flags=0, payload=b"", options=(), stream=0):
    write(encode(Frame(flags, payload, options, stream)))


def shake_hands():
    relay.receive()
    send(CONTROL, b'{"pid":%d}' % os.getpid())


def next_request():
    """Answer nothing; leave on the stop frame and on the end of stdin, as a decent worker does."""
    frame = relay.receive()
    if frame is None or frame.flags & CONTROL:
        raise SystemExit(0)
    return frame


def echo(frame):
    send(0, frame.payload, frame.options)


def hang():
    while True:
        time.sleep(60)
