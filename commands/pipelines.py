"""The table of job pipelines, for `rrpy jobs` and `rrpy workers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from ..container.text import printable

if TYPE_CHECKING:
    from ..rpc.client import Client, ReconnectingClient

STYLES: Final = {"READY": "green", "PAUSED": "yellow", "AWAY": "red"}
"""The style of each status. PAUSED: this host gives workers no jobs of it. AWAY: the host cannot use its queue."""
COLUMNS: Final = ("STATUS", "PIPELINE", "DRIVER", "QUEUE", "PRIORITY", "WAITING", "DELAYED", "RUNNING", "DEAD")
_COUNTS: Final = ("priority", "active", "delayed", "reserved", "dead")

Pipelines = Sequence[Mapping[str, Any]]
"""The pipelines of a host, as `informer.Jobs` gives them."""


def pipelines_of(client: Client | ReconnectingClient, plugins: Sequence[str]) -> Pipelines:
    """Return the pipelines of a host. `plugins`: none where these do not have the plugin jobs among them."""
    if plugins and not any(name.partition(".")[0] == "jobs" for name in plugins):
        return []
    return client.call("informer.Jobs", "") or []


def pipelines_table(pipelines: Pipelines) -> Table:
    """Return the table of these pipelines."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in COLUMNS:
        counted = column in COLUMNS[-len(_COUNTS) :]
        table.add_column(column, justify="right" if counted else "left", no_wrap=column != "QUEUE", overflow="fold")
    for stat in pipelines:
        status = "READY" if stat.get("ready") else "PAUSED"
        if not stat.get("connected", True):
            status = "AWAY"
        texts = (Text(printable(str(stat.get(key, "")))) for key in ("pipeline", "driver", "queue"))
        table.add_row(Text(status, STYLES[status]), *texts, *(f"{stat.get(key, 0):,}" for key in _COUNTS))
    return table
