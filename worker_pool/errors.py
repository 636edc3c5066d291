"""What can go wrong with a pool's request, and with a pool.

PoolError
 +-- SoftError          the worker refused this one request and lives on
 +-- UnexpectedStream   the worker answered with a stream, and `exec` asked for one answer; it lives on
 +-- NoFreeWorker       no worker was free within `allocate_timeout`, or none is alive at all
 +-- QueueFull          `max_queue_size` requests wait or run already
 +-- WorkerBroken       the worker died or broke the protocol during the request, which is not run again
 |    +-- ExecTimeout   it took longer than `supervisor.exec_ttl` and was killed
 +-- LastWorker         the pool's only worker cannot be removed
 +-- TooManyWorkers     no worker can be added
 +-- PoolClosed         the pool is being left, or was
 +-- WorkerBootError    a worker did not come up; also a HostError: it ends `serve` with one sentence
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from ..container.errors import HostError

SHOWN_LINES = 8
"""How many of a dead worker's last lines an error's text shows; `Remains` keeps more."""


class Remains(msgspec.Struct, frozen=True):
    """What a dead worker leaves behind, for the person who has to find out why.

    `returncode`: as in subprocess (negative: the signal). `printed`: what it wrote to stdout in place of a frame.
    `stderr`: its last lines.
    """

    pid: int = 0
    returncode: int | None = None
    printed: bytes = b""
    stderr: Sequence[str] = ()

    @property
    def status(self) -> str:
        """How it ended: `status 3` or `signal 9`; `unknown status` when nobody could find out."""
        if self.returncode is None:
            return "unknown status"
        return f"signal {-self.returncode}" if self.returncode < 0 else f"status {self.returncode}"

    def told(self) -> str:
        """Return what it said last, as the end of a sentence; empty when it said nothing."""
        text = ""
        if self.printed:
            text += f"; it printed to stdout: {self.printed.decode('utf-8', 'replace').strip()!r}"
        if self.stderr:
            text += f"; its last words on stderr: {' | '.join(line.strip() for line in self.stderr[-SHOWN_LINES:])}"
        return text


class PoolError(Exception):
    """A request was not answered."""


class SoftError(PoolError):
    """The worker answered with an error, whose text this is, and lives on."""


class UnexpectedStream(PoolError):
    """The worker answered with a stream where one answer was asked for; the rest of it was cancelled."""

    def __init__(self) -> None:
        super().__init__("the worker answered with a stream, and this request takes one answer")


class NoFreeWorker(PoolError):
    """No worker took the request. `waited`: seconds in the queue; 0 when no worker is alive to wait for."""

    def __init__(self, waited: float, reason: str = "") -> None:
        if waited:
            text = f"no worker was free within {waited:g} s (allocate_timeout)"
        else:
            text = "no worker is alive" + (f": {reason}" if reason else "")
        super().__init__(text)
        self.waited = waited


class QueueFull(PoolError):
    """The pool has as many requests as it may. `limit`: max_queue_size."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the pool's queue is full: {limit} requests wait or run (max_queue_size)")
        self.limit = limit


class PoolClosed(PoolError):
    """The pool takes no more requests."""

    def __init__(self) -> None:
        super().__init__("the worker pool is closed")


class WorkerBroken(PoolError):
    """The worker died or had to be killed during the request. `remains`: what it left; `fault`: what it did."""

    def __init__(self, remains: Remains, fault: str = "") -> None:
        what = f"{fault} and was killed" if fault else f"died with {remains.status}"
        super().__init__(f"worker {remains.pid} {what}{remains.told()}")
        self.remains = remains
        self.fault = fault


class ExecTimeout(WorkerBroken):
    """The worker took longer for the request than it may, and was killed."""


class LastWorker(PoolError):
    """A pool keeps one worker at least."""

    def __init__(self) -> None:
        super().__init__("the last worker cannot be removed: a pool keeps one at least")


class TooManyWorkers(PoolError):
    """The pool has as many workers as it may. `limit`: how many that is."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"no worker can be added: a pool has {limit} at most")
        self.limit = limit


class WorkerBootError(PoolError, HostError):
    """A worker did not come up. `command`: as it was run; `fault`: what it did; `remains`: what it left."""

    exit_code: ClassVar[int] = 1

    def __init__(self, command: Sequence[str], fault: str, remains: Remains | None = None) -> None:
        told = remains.told() if remains else ""
        super().__init__(f"the worker command {' '.join(command)!r} {fault}{told}")
        self.command = tuple(command)
        self.fault = fault
        self.remains = remains
