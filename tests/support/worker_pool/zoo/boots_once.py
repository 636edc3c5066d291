"""Comes up while the file named by ZOO_FLAG is there; a request removes it, and the worker dies with it."""

import os
import sys
from pathlib import Path

from _wire import echo, next_request, shake_hands

flag = Path(os.environ["ZOO_FLAG"])
if not flag.exists():
    sys.exit("the flag is gone")
shake_hands()
while True:
    frame = next_request()
    if frame.payload == b"die":
        flag.unlink()
        sys.exit(1)
    echo(frame)
