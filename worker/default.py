"""The worker of the package, run by `python -m rrpy.worker`: it logs every event and accepts it."""

from __future__ import annotations

import sys

from .messages import Request


def handle(request: Request) -> str:
    """Write one line about the event to stderr, the host's log, and return CONTINUE."""
    try:
        event = request.json()
    except ValueError:
        event = None
    if isinstance(event, dict):
        keys = ("event", "id", "uuid", "remote_addr")
        text = " ".join(f"{key}={event[key]}" for key in keys if key in event)
    else:
        text = "a context that is not an event"
    sys.stderr.write(f"worker got {text} ({len(request.context)} + {len(request.body)} bytes)\n")
    return "CONTINUE"
