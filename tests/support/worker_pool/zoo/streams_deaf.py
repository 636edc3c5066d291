"""Streams for ever and does not listen to STOP."""

import time

from _wire import next_request, send, shake_hands

shake_hands()
next_request()
while True:
    send(0, b"part", (0,), stream=1)
    time.sleep(0.01)
