"""Writes log lines of every kind, then echoes."""

import sys

from _wire import echo, next_request, shake_hands

shake_hands()
while True:
    frame = next_request()
    print('{"level": "warning", "msg": "low on ink", "left": 3}', file=sys.stderr)
    print("ERROR: out of paper", file=sys.stderr)
    print("just saying", file=sys.stderr, flush=True)
    echo(frame)
