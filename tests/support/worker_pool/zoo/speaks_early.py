"""Sends an answer after its handshake, in one write; then echoes."""

import os

from _wire import CONTROL, Frame, echo, encode, next_request, relay, write

relay.receive()
write(encode(Frame(CONTROL, b'{"pid":%d}' % os.getpid())) + encode(Frame(0, b"stale", (5,))))
while True:
    echo(next_request())
