"""Two megabytes of log without a line's end, invalid as UTF-8, before every answer."""

import os

from _wire import echo, next_request, shake_hands

shake_hands()
while True:
    frame = next_request()
    left = b"\xff" * 2_000_000
    while left:
        left = left[os.write(2, left) :]
    echo(frame)
