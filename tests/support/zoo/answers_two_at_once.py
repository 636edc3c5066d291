"""Sends two answers in one write: the second must never be taken for the answer to the next request."""

import os

from _wire import hang, next_request, shake_hands

from rrpy.goridge.frame import Frame, encode

shake_hands()
next_request()
os.write(1, encode(Frame(0, b"mine", (4,))) + encode(Frame(0, b"stolen", (6,))))
next_request()
hang()
