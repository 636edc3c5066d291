"""Sends two answers in one write: the second must never be taken for the answer to the next request."""

from _wire import hang, next_request, shake_hands, write

from rrpy.goridge.frame import Frame, encode

shake_hands()
next_request()
write(encode(Frame(0, b"mine", (4,))) + encode(Frame(0, b"stolen", (6,))))
next_request()
hang()
