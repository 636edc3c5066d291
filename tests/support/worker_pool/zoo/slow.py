"""Answers the context `slow` only when the file named by the body is there; anything else at once."""

import os
import time
from pathlib import Path

from _wire import echo, next_request, shake_hands

shake_hands()
while True:
    frame = next_request()
    split = frame.options[0]
    if frame.payload[:split] == b"slow":
        gate = Path(os.fsdecode(frame.payload[split:]))
        while not gate.exists():
            time.sleep(0.005)
    echo(frame)
