"""Ignores the stop frame and the end of stdin, not SIGTERM."""

from _wire import hang, shake_hands

shake_hands()
hang()
