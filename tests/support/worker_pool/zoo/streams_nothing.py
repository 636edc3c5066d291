"""Streams parts without a byte in them, for ever."""

from _wire import Frame, encode, next_request, shake_hands, write

shake_hands()
next_request()
while True:
    write(encode(Frame(0, b"", (0,), 1)) * 100)
