"""Streams more than its reader takes at once, ends the stream four times over, and dies."""

import sys

from _wire import Frame, encode, next_request, shake_hands, write

shake_hands()
next_request()
for _ in range(30):
    write(encode(Frame(0, b"x" * 60_000, (0,), 1)))
write(encode(Frame(0, b"", (0,))) * 4)
sys.exit(3)
