"""Ignores SIGTERM, the stop frame and the end of stdin."""

import signal

from _wire import hang, shake_hands

signal.signal(signal.SIGTERM, signal.SIG_IGN)
shake_hands()
hang()
