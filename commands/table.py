"""The tables that `rrpy workers` prints, with RoadRunner's columns. Only `printed` looks at stdout."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..container.text import printable, size_text
from ..worker_pool.states import State
from .pipelines import Pipelines, pipelines_table
from .running import NO_WORKERS

_S = State
_LEAVING: Final = (_S.STOPPING, _S.MAX_JOBS_REACHED, _S.IDLE_TTL_REACHED, _S.TTL_REACHED, _S.MAX_MEMORY_REACHED)
STYLES: Final[Mapping[str, str]] = {
    _S.INACTIVE.text: "dim",
    _S.READY.text: "green",
    _S.WORKING.text: "cyan",
    **{state.text: "yellow" for state in _LEAVING},
    **{state.text: "red" for state in (_S.INVALID, _S.STOPPED, _S.DESTROYED, _S.ERRORED, _S.EXEC_TTL_REACHED)},
}
"""The style of each state, by its text: yellow leaves soon, red is dead or broken."""

_UNBOUNDED: Final = 100_000
"""Columns of a page that has no width of its own."""

Workers = Sequence[Mapping[str, Any]]
"""The workers of a plugin, as `informer.Workers` gives them."""


def printed(what: RenderableType) -> str:
    """Return tables as stdout takes them: coloured on a terminal, in its width; one line a row in a file or pipe."""
    # Not on stdout itself: the caller reports a stdout that cannot be written.
    page = io.BytesIO()
    with io.TextIOWrapper(page, sys.stdout.encoding, errors="backslashreplace", write_through=True) as file:
        terminal = sys.stdout.isatty()
        console = Console(file=file, highlight=False, force_terminal=terminal, width=None if terminal else _UNBOUNDED)
        console.print(what)
        return page.getvalue().decode(sys.stdout.encoding).rstrip("\n")


def workers_view(plugins: Mapping[str, Workers], pipelines: Pipelines, now: float) -> RenderableType:
    """Return one table for each plugin, and one of the pipelines. `now`: unix seconds, to which ages are counted."""
    parts: list[RenderableType] = []
    for name, workers in plugins.items():
        if workers:
            parts += [Text.assemble("Workers of ", (printable(name), "bold"), ":"), workers_table(workers, now)]
        else:
            parts.append(Text.assemble((printable(name), "bold"), " has no workers."))
    parts = parts or [NO_WORKERS]
    if pipelines:
        parts += [Text("Pipelines of jobs:"), pipelines_table(pipelines)]
    return Group(*parts)


def workers_table(workers: Workers, now: float) -> Table:
    """Return the table of these workers."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("PID", "STATUS", "EXECS", "MEMORY", "CPU%", "CREATED"):
        table.add_column(column, justify="left" if column in ("STATUS", "CREATED") else "right", no_wrap=True)
    for worker in workers:
        status = printable(str(worker["statusStr"]))
        table.add_row(
            Text(printable(str(worker["pid"]))),
            Text(status, STYLES.get(status, "")),
            f"{worker['numExecs']:,}",
            size_text(worker["memoryUsage"]),
            f"{worker['CPUPercent']:.2f}",
            age_text(now - worker["created"] / 1e9),
        )
    return table


def age_text(seconds: float) -> str:
    """Return a time in the past, in its largest whole unit: `3 s ago`, `1 minute ago`, `2 days ago`."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count:,} {unit}{'s' if count > 1 else ''} ago"
    return f"{int(max(0, seconds))} s ago"
