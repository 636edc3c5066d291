"""Sends one part of a stream and hangs."""

from _wire import hang, next_request, send, shake_hands

shake_hands()
next_request()
send(0, b"part", (0,), stream=1)
hang()
