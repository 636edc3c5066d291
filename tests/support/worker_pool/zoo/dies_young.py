import sys

from _wire import shake_hands

shake_hands()
print("cannot stay", file=sys.stderr)
sys.exit(1)
