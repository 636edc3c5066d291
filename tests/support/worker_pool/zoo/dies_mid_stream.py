import sys

from _wire import next_request, send, shake_hands

shake_hands()
next_request()
send(0, b"part", (0,), stream=1)
print("no more ink", file=sys.stderr)
sys.exit(6)
