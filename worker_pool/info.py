"""The state of a worker as RPC and the command line show it (docs/reference/wire.md)."""

from __future__ import annotations

from .protocols import WorkerInfo
from .usage import usage_of
from .worker import Worker


def describe(worker: Worker, command: str) -> WorkerInfo:
    """Return a worker's state. A process that is gone has zeros for memory and CPU.

    `command`: as it was started, secrets masked.
    """
    memory, cpu = usage_of(worker.pid)
    return WorkerInfo(
        pid=worker.pid,
        status=int(worker.state),
        num_execs=worker.served,
        created=worker.created,
        memory_usage=memory,
        cpu_percent=cpu,
        command=command,
        status_str=worker.state.text,
    )
