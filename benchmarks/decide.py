"""What the workers of `benchmarks/delivery.py` and `jobs.py` run: they read the event and accept."""

from __future__ import annotations

from rrpy.worker import Email, Request


def handle(request: Request) -> str:
    return "CONTINUE" if request.json()["message"]["size"] else "CLOSE"


def done(email: Email) -> None:
    assert email.size
