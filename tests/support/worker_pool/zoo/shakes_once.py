"""Comes up while the file named by ZOO_FLAG is there; later ones say nothing."""

import os
from pathlib import Path

from _wire import echo, hang, next_request, shake_hands

if not Path(os.environ["ZOO_FLAG"]).exists():
    hang()
shake_hands()
while True:
    echo(next_request())
