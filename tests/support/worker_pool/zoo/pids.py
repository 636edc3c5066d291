"""Answers its pid; with a context, only when the file named by it is there."""

import os
import time
from pathlib import Path

from _wire import next_request, send, shake_hands

shake_hands()
while True:
    frame = next_request()
    gate = frame.payload[: frame.options[0]]
    while gate and not Path(os.fsdecode(gate)).exists():
        time.sleep(0.005)
    send(0, b"%d" % os.getpid(), (0,))
