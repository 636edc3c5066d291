"""A host that queues mail, with the plugin of faults, and its figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.container.host import Host, hosting
from support.jobs import faults
from support.worker.delivery import SUPPORT

from rrpy.rpc.client import Client

FAULTS = str(Path(faults.__file__).parent)


@contextmanager
def queueing(
    folder: Path, handler: str, pipeline: dict[str, Any], environ: dict[str, str] | None = None, **sections: Any
) -> Iterator[Host]:
    """A host with the plugin of faults. Without a handler it has no workers."""
    (folder / "seen").mkdir(exist_ok=True)
    command = f"python -m rrpy.worker job_handlers:{handler or 'email'}"
    sections = {
        "plugins": ["faults:Faults"],
        "server": {"command": command, "env": {"PYTHONPATH": SUPPORT, "SEEN": str(folder / "seen")}},
        "smtp": {"deliver": "jobs", "jobs": {"pipeline": "mail"}, "pool": {}},
        "jobs": {
            "consume": ["mail"] if handler else [],
            "pool": {"num_workers": 1},
            "pipelines": {"mail": pipeline},
            **sections.pop("jobs", {}),
        },
        **sections,
    }
    with hosting(folder, environ={"PYTHONPATH": FAULTS, **(environ or {})}, **sections) as host:
        yield host


def call(host: Host, method: str, argument: Any = None) -> Any:
    """Call a method of the host's."""
    with Client(f"unix://{host.folder}/rpc.sock") as client:
        return client.call(method, argument)


def stat(host: Host) -> dict[str, Any]:
    """Return the figures of the pipeline."""
    found: dict[str, Any] = call(host, "jobs.Stat")["stats"][0]
    return found
