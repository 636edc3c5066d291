"""Logs an error with Python's own `logging`, in its default form, and with its traceback; then echoes."""

import logging

from _wire import echo, next_request, shake_hands

logging.basicConfig()
shake_hands()
while True:
    frame = next_request()
    try:
        frame.options[9]
    except IndexError:
        logging.exception("db is gone")
    logging.warning("low on ink")
    echo(frame)
