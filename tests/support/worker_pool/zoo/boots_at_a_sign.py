"""Boots, dies in its request, dies at its next boot; the third boot creates `boots` and waits for `gate`."""

import os
import sys
import time
from pathlib import Path

from _wire import echo, next_request, shake_hands

folder = Path(os.environ["ZOO_FOLDER"])
booted = len(list(folder.glob("boot-*")))
(folder / f"boot-{booted}").touch()
if booted == 1:
    sys.exit("not yet")
if booted == 2:
    (folder / "boots").touch()
    while not (folder / "gate").exists():
        time.sleep(0.005)
shake_hands()
while True:
    frame = next_request()
    if frame.payload == b"die":
        sys.exit(3)
    echo(frame)
