"""What the workers of `benchmarks/delivery.py` run: they read the event and accept."""

from __future__ import annotations

from rrpy.worker import Request


def handle(request: Request) -> str:
    return "CONTINUE" if request.json()["message"]["size"] else "CLOSE"
