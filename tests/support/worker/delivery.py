"""A host whose workers decide about mail."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.container.host import Host, hosting

SUPPORT = str(Path(__file__).parent)


@contextmanager
def delivering(
    folder: Path,
    handler: str = "decide",
    workers: int = 1,
    pool: dict[str, Any] | None = None,
    endure: dict[str, Any] | None = None,
    **smtp: Any,
) -> Iterator[Host]:
    """A host whose workers run a handler of support/worker/mail_handlers.py; what they see is in the folder `seen`."""
    (folder / "seen").mkdir(exist_ok=True)
    server = {
        "command": f"python -m rrpy.worker mail_handlers:{handler}",
        "env": {"PYTHONPATH": SUPPORT, "SEEN": str(folder / "seen")},
    }
    section = {"deliver": "workers", "pool": {"num_workers": workers, **(pool or {})}, **smtp}
    with hosting(folder, server=server, smtp=section, endure=endure or {}) as host:
        yield host


def seen(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted((folder / "seen").glob("*.json"), key=os.path.getmtime)]
