"""The errors of a pool's request, and of a pool. Each is a HostError: one sentence, which also an RPC client gets.

PoolError
 +-- SoftError          the worker refused this one request and lives on
 +-- UnexpectedStream   the worker answered with a stream, and `exec` asked for one answer; it lives on
 +-- NoFreeWorker       no worker was free within `allocate_timeout`, or none is alive
 +-- QueueFull          `max_queue_size` requests wait or run already
 +-- WorkerBroken       the worker died or broke the protocol during the request, which is not run again
 |    +-- ExecTimeout   it took longer than `supervisor.exec_ttl` and was killed
 +-- LastWorker         the pool's only worker cannot be removed
 +-- TooManyWorkers     no worker can be added
 +-- PoolClosed         the pool is closed, or closes
 +-- WorkerBootError    a worker did not come up
      +-- NoDescriptors  the host has no descriptors left for a worker
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..container.errors import HostError
from ..container.masking import mask_text, masked

SHOWN_LINES = 8
"""How many of a dead worker's last lines an error's text shows; `ExitReport` keeps more."""


class ExitReport(msgspec.Struct, frozen=True):
    """How a worker's process ended, for the person who looks for the cause.

    `returncode`: as in subprocess (negative: the signal), None for an unknown one. `printed`: the first bytes that it
    wrote to its channel in place of a frame. `stderr`: its last lines.
    """

    pid: int = 0
    returncode: int | None = None
    printed: bytes = b""
    stderr: Sequence[str] = ()

    @property
    def status(self) -> str:
        """How it ended: `status 3` or `signal 9`; `unknown status` without a return code."""
        if self.returncode is None:
            return "unknown status"
        return f"signal {-self.returncode}" if self.returncode < 0 else f"status {self.returncode}"

    def keys(self, fault: str) -> dict[str, object]:
        """Return what is known of it as keys for the log. `fault`: why the host killed it, empty when it did not."""
        keys: dict[str, object] = {"pid": self.pid}
        if self.returncode is not None:
            keys |= {"signal": -self.returncode} if self.returncode < 0 else {"status": self.returncode}
        if fault:
            keys["fault"] = fault
        if self.printed:
            keys["printed"] = self.printed.decode("utf-8", "replace")
        return keys

    @property
    def output(self) -> str:
        """Its last output, as the end of a sentence, secrets masked; empty without any."""
        text = ""
        if self.printed:
            text += f"; it printed to stdout: {self.printed.decode('utf-8', 'replace').strip()!r}"
        if self.stderr:
            text += f"; its last lines on stderr: {' | '.join(line.strip() for line in self.stderr[-SHOWN_LINES:])}"
        return mask_text(text)


class PoolError(HostError):
    """A request was not answered."""


class SoftError(PoolError):
    """The worker answered with an error and lives on. The text is the worker's."""


class UnexpectedStream(PoolError):
    """The worker answered with a stream in place of one answer; the rest of the stream is cancelled."""

    def __init__(self) -> None:
        super().__init__("the worker answered with a stream, and this request takes one answer")


class NoFreeWorker(PoolError):
    """No worker took the request. `waited`: seconds in the queue; 0 when no worker is alive. `reason`: why none is."""

    def __init__(self, waited: float, reason: str = "") -> None:
        if waited:
            text = f"no worker was free within {waited:g} s (allocate_timeout)"
        else:
            text = "no worker is alive" + (f": {reason}" if reason else "")
        super().__init__(text)
        self.waited = waited


class QueueFull(PoolError):
    """The pool has `max_queue_size` requests already. `limit`: that number."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the pool's queue is full: {limit} requests wait or run (max_queue_size)")
        self.limit = limit


class PoolClosed(PoolError):
    """The pool takes no more requests."""

    def __init__(self) -> None:
        super().__init__("the worker pool is closed")


class WorkerBroken(PoolError):
    """The worker died or was killed during the request. `report`: of its exit; `fault`: why it was killed."""

    def __init__(self, report: ExitReport, fault: str = "") -> None:
        end = f"{fault} and was killed" if fault else f"died with {report.status}"
        super().__init__(f"worker {report.pid} {end}{report.output}")
        self.report = report
        self.fault = fault


class ExecTimeout(WorkerBroken):
    """The worker took longer than `supervisor.exec_ttl` for the request and was killed."""


class LastWorker(PoolError):
    """The pool's only worker cannot be removed."""

    def __init__(self) -> None:
        super().__init__("the last worker cannot be removed: a pool keeps at least one")


class TooManyWorkers(PoolError):
    """The pool has its largest number of workers already. `limit`: that number."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"no worker can be added: a pool has at most {limit}")
        self.limit = limit


class WorkerBootError(PoolError):
    """A worker did not come up. `command`: its command line; `fault`: the verb and the rest of the sentence.

    `report`: of its exit; None when its process was never there.
    """

    def __init__(self, command: Sequence[str], fault: str, report: ExitReport | None = None) -> None:
        output = report.output if report else ""
        super().__init__(f"the worker command {' '.join(masked(command))!r} {fault}{output}")
        self.command = tuple(command)
        self.fault = fault
        self.report = report


class NoDescriptors(WorkerBootError):
    """The host has too few descriptors left for a worker's channels. `limit`: how many it may have (`ulimit -n`)."""

    def __init__(self, command: Sequence[str], limit: int) -> None:
        super().__init__(command, f"cannot be run: no descriptors are left (the limit of the process is {limit})")
        self.limit = limit
