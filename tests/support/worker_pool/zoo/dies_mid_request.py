import sys

from _wire import next_request, shake_hands

shake_hands()
next_request()
print("out of paper", file=sys.stderr, end="")
sys.exit(3)
