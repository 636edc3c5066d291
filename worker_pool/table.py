"""The table that `rrpy workers` prints: RoadRunner's columns."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Mapping, Sequence
from shutil import get_terminal_size
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

_STYLES = {"ready": "green", "working": "cyan"}


def workers_table(plugins: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return one table a plugin, coloured on a terminal.

    `plugins`: plugin name -> states, as `informer.Workers` gives them.
    """
    text = io.StringIO()
    console = Console(file=text, highlight=False, force_terminal=sys.stdout.isatty(), width=get_terminal_size().columns)
    if not plugins:
        console.print("No plugin of this host owns workers.")
    for name, states in plugins.items():
        console.print(f"Workers of [bold]{name}[/bold]:" if states else f"[bold]{name}[/bold] has no workers.")
        if states:
            console.print(_table(states))
    return text.getvalue().rstrip("\n")


def _table(states: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("PID", "STATUS", "EXECS", "MEMORY", "CPU%", "CREATED"):
        table.add_column(column, justify="left" if column in ("STATUS", "CREATED") else "right")
    now = time.time()
    for state in states:
        status = str(state["statusStr"])
        table.add_row(
            str(state["pid"]),
            f"[{_STYLES.get(status, 'yellow')}]{status}[/]",
            f"{state['numExecs']:,}",
            _size(state["memoryUsage"]),
            f"{state['CPUPercent']:.2f}",
            _age(now - state["created"] / 1e9),
        )
    return table


def _size(size: float) -> str:
    for unit in ("B", "KB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.0f} MB"


def _age(seconds: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"{int(max(0, seconds))} s ago"
