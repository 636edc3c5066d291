"""Sends a bad frame and a good one in one write: the fault must stay the fault."""

from _wire import hang, next_request, shake_hands, write

from rrpy.goridge.frame import Frame, encode

shake_hands()
next_request()
write(encode(Frame(0, b"bad", (1, 2))) + encode(Frame(0, b"good", (4,))))
hang()
