"""Workers as `informer.Workers` gives them, and what a renderable of them looks like."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console, RenderableType

from rrpy.worker_pool.states import State

NOW = 1_800_000_000.0
STAT = {
    "pipeline": "mail",
    "driver": "sqlite",
    "queue": "spool/mail.db",
    "active": 1234,
    "delayed": 2,
    "reserved": 3,
    "ready": True,
    "priority": 10,
    "dead": 4,
    "connected": True,
    "reason": "",
}
"""A pipeline as `informer.Jobs` gives it."""


def row(pid: int = 100, status: State = State.READY, **keys: Any) -> dict[str, Any]:
    """Return a worker as `informer.Workers` gives it."""
    state = {
        "pid": pid,
        "status": int(status),
        "numExecs": 0,
        "created": int((NOW - 5) * 1e9),
        "memoryUsage": 13_000_000,
        "CPUPercent": 0.5,
        "command": "python worker.py",
        "statusStr": status.text,
    }
    return state | keys


def drawn(what: RenderableType, *, colours: bool = False, width: int = 100) -> str:
    text = io.StringIO()
    system = "standard" if colours else None
    Console(file=text, force_terminal=colours, color_system=system, width=width, highlight=False).print(what)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
