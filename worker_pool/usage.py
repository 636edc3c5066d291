"""The memory and the CPU of a worker: those of its process group.

Another program often runs a worker: `uv run`, `sh -c`, a wrapper. That program leads the group, and uses next to
nothing. So what counts is the leader with all that it has started and that is still in its group.

On Linux the kernel lists the children of each thread, so that a worker of one process costs a few small reads.
Elsewhere psutil looks through all processes.

What can still fail: a process whose parent has exited is not found. Memory that processes share counts for each.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

_LISTED: Final = Path(f"/proc/self/task/{os.getpid()}/children").exists()
"""Whether the kernel lists the children of a thread."""


def usage_of(leader: int) -> tuple[int, float]:
    """Return bytes of RSS of a group, and the percentage of one CPU since its leader began; zeros for none."""
    memory, seconds, began = 0, 0.0, 0.0
    for pid in _group(leader):
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                memory += process.memory_info().rss
                seconds += times.user + times.system + times.children_user + times.children_system
                began = began or process.create_time()
    return memory, round(100 * seconds / max(time.time() - began, 0.001), 2) if began else 0.0


def memory_of(leader: int) -> int:
    """Return bytes of RSS of a group; 0 for none."""
    memory = 0
    for pid in _group(leader):
        with suppress(psutil.Error):
            memory += int(psutil.Process(pid).memory_info().rss)
    return memory


def _group(leader: int) -> Iterator[int]:
    """Yield the leader of a process group, and its descendants in the group."""
    yield leader
    if not _LISTED:
        with suppress(psutil.Error):
            everyone = [each.pid for each in psutil.Process(leader).children(recursive=True)]
            yield from (pid for pid in everyone if _is_in(leader, pid))
        return
    parents = [leader]
    while parents:
        for child in _children(parents.pop()):
            if _is_in(leader, child):
                yield child
                parents.append(child)


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - pathlib takes twice the time
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as listed:  # noqa: PTH123
                yield from map(int, listed.read().split())


def _is_in(leader: int, pid: int) -> bool:
    try:
        return os.getpgid(pid) == leader
    except OSError:  # it is gone, or belongs to another user on a system that hides it
        return False
