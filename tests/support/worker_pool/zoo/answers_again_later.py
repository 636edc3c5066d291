"""Answers its first request, and answers it again when that was read; then makes the file that the context names."""

import os
from pathlib import Path

from _wire import next_request, send, shake_hands

shake_hands()
frame = next_request()
sign = Path(os.fsdecode(frame.payload[: frame.options[0]]))
if sign.exists():  # a replacement
    send(0, b"mine", (4,))
else:
    send(0, b"mine", (4,))
    while not sign.with_suffix(".read").exists():
        pass
    send(0, b"stolen", (6,))
    sign.touch()
while True:
    next_request()
