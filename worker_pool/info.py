"""The state of a worker as RPC and the command line show it (docs/reference/wire.md)."""

from __future__ import annotations

import time

import psutil

from .protocols import WorkerInfo
from .worker import Worker


def describe(worker: Worker, command: str) -> WorkerInfo:
    """Return a worker's state. A process that is gone has zeros for memory and CPU.

    `command`: as it was started, secrets masked.
    """
    memory, cpu = _usage(worker.pid)
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


def _usage(pid: int) -> tuple[int, float]:
    """Return bytes of RSS, and the percentage of one CPU since the process began."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            age = max(time.time() - process.create_time(), 0.001)
            return process.memory_info().rss, round(100 * (times.user + times.system) / age, 2)
    except psutil.Error:
        return 0, 0.0


def memory_of(pid: int) -> int:
    """Return bytes of RSS; 0 for a process that is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
