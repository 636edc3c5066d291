"""Sends parts that ask for PONGs, for ever, and reads none."""

from _wire import Frame, encode, next_request, shake_hands, write

from rrpy.goridge.frame import PING, STREAM

shake_hands()
next_request()
while True:
    write(encode(Frame(0, b"", (0,), STREAM | PING)) * 1000)
