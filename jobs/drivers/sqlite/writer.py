"""The one thread of a spool: it commits all that waits at once, then tells the event loop.

What we want: a flush to the disk costs far more than a job does, so all pushes, settlements and pulls that wait share
one. What we do: the loop appends to three deques and wakes the thread; the thread takes what is there, and calls the
loop once for each commit. Clients and workers that have their answer come back within a millisecond or two. So a commit
waits that long for as many as the last one had and left; a client that is alone never waits. What can fail: the disk.
Then pushes fail at once, settlements stay and are tried again, and `trouble` says why, until a commit succeeds. A
disk that does not answer holds the thread up: `began` says since when. The clock may be set: then the due times move
with it, because a delay is a time from now.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from ....container.errors import reason_of
from ....container.sqlite.opening import is_for_want_of_room
from ...protocols import Away, Done, Full, JobsError, QueueState
from .rows import Row, Taken
from .spool import Spool

BATCH: Final = 1000
"""Pushes of one commit."""
BATCH_BYTES: Final = 16 * 1024 * 1024
"""Bytes of the pushes of one commit; a larger push is alone."""
_GATHER: Final = 0.002
"""Seconds that a commit waits at most for the clients and workers of the last one."""
_PAUSE: Final = 1.0
"""Seconds between two attempts while the disk is in trouble."""
_LONGEST: Final = 30.0
"""Seconds after which the clock is read again: it may be set while a delayed job waits."""
_SET: Final = 10.0
"""Seconds by which a clock that was set differs. A smaller step makes a job that much early or late."""

Settlement = tuple[Any, ...]
"""A method of Spool, and its arguments."""


class Push:
    """Jobs on their way into the spool. `result`: of the commit; `done` is None once the caller has its answer."""

    __slots__ = ("deadline", "done", "result", "rows", "size")

    def __init__(self, rows: Sequence[Row], size: int, done: Done, deadline: float) -> None:
        self.rows = rows
        self.size = size
        self.done: Done | None = done
        self.deadline = deadline
        self.result: JobsError | None = None


class Ask(NamedTuple):
    """A question to the spool, and the future of its answer."""

    work: Callable[[Spool], Any]
    answer: asyncio.Future[Any]


class Wanted(NamedTuple):
    """A pull, and the future of its deliveries."""

    jobs: int
    size: int
    answer: asyncio.Future[Any]


class Limits(NamedTuple):
    """`max_bytes`: of all jobs, 0 for no limit. `min_free`: percent of the disk that stay free, 0 for no limit."""

    max_bytes: int
    min_free: int


class Turn(NamedTuple):
    """What one commit brought, for the loop. `error`: of the answers."""

    state: QueueState
    trouble: JobsError | None
    pushes: Sequence[Push]
    wanted: Wanted | None
    taken: Sequence[Taken]
    answers: Sequence[tuple[asyncio.Future[Any], Any]]
    error: JobsError | None


class Writer(threading.Thread):
    """The thread. It calls these in the loop.

    `opened`: with the state and the number of orphans, or with the error of the opening. `tell`: with each Turn.
    `ended`: after the file is closed.
    """

    def __init__(
        self,
        opening: Callable[[], Spool],
        limits: Limits,
        name: str,
        opened: Callable[[QueueState | Exception, int], None],
        tell: Callable[[Turn], None],
        ended: Callable[[], None],
    ) -> None:
        super().__init__(name=f"jobs {name}", daemon=True)
        self.pushes: deque[Push] = deque()
        self.settlements: deque[Settlement] = deque()
        self.asks: deque[Ask] = deque()
        self.wanted: Wanted | None = None
        """The pull that waits."""
        self.wake = threading.Event()
        self.stopping = False
        self.began = 0.0
        """The time.monotonic() of the commit under way; 0 without one."""
        self._loop = asyncio.get_running_loop()
        self._opening = opening
        self._limits = limits
        self._pipeline = name
        self._opened = opened
        self._tell = tell
        self._ended = ended
        self._trouble: JobsError | None = None
        self._expected = 0  # pushes and settlements of the next commit
        self._gathering = False
        self._ahead = time.time() - _steady()  # of the clock

    def rouse(self) -> None:
        """Wake the thread for what the loop has given it; while it gathers, only when all that it expects is there."""
        if not self.wake.is_set() and not (self._gathering and self._lacks()):
            self.wake.set()

    def _lacks(self) -> bool:
        return len(self.pushes) + len(self.settlements) < self._expected

    def run(self) -> None:
        """Serve until `stopping`."""
        try:
            self._spool = self._opening()
        except Exception as error:
            self._call(self._opened, error, 0)
            return
        try:
            self._trouble = self._lack_of_room()
            self._call(self._opened, self._state(), self._spool.orphans)
            if self._trouble is not None:
                self._call(self._tell, Turn(self._state(), self._trouble, (), None, (), (), None))
            self._serve()
        finally:
            self._spool.close()
            self._call(self._ended)

    def _call(self, function: Callable[..., None], *values: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *values)
        except RuntimeError:  # the loop is closed: a host that was killed within its grace
            self.stopping = True

    def _serve(self) -> None:
        while not self.stopping or self.pushes or self.settlements or self.asks:
            self.wake.wait(self._time_to_wait())
            self.wake.clear()
            self._gather()
            done = len(self.pushes) + len(self.settlements)
            self._turn()
            self._expected = min(BATCH, done + len(self.pushes) + len(self.settlements))
            if self.stopping and self._trouble is not None:
                break  # the jobs of the settlements come again

    def _gather(self) -> None:
        """Wait a moment for the pushes and settlements that are expected."""
        if (self.pushes or self.settlements) and self._trouble is None and not self.stopping:
            self._gathering = True
            if self._lacks():
                self.wake.wait(_GATHER)
            self._gathering = False
            self.wake.clear()

    def _time_to_wait(self) -> float:
        if self.stopping:
            return 0
        if self._trouble is not None:
            return _PAUSE
        return min(_LONGEST, max(0.0, self._spool.next_due - self._ahead - _steady()))

    def _turn(self) -> None:
        """Commit all that waits."""
        self.began = time.monotonic()
        trouble = self._trouble
        lack = self._lack_of_room()
        wanted = self.wanted
        pushes = self._take_pushes()
        settlements = _take(self.settlements)
        asks = _take(self.asks)
        taken: list[Taken] = []
        answers: list[tuple[asyncio.Future[Any], Any]] = []
        error: JobsError | None = None
        spool = self._spool
        jump = time.time() - _steady() - self._ahead
        was_set = abs(jump) >= _SET
        can_take = wanted is not None and spool.has_free
        due = spool.next_due <= time.time()
        if not (pushes or settlements or asks or trouble or lack or can_take or due or was_set):
            self.began = 0.0
            return
        try:
            with spool.transaction():
                if was_set:
                    spool.move_due(jump)
                for method, *values in settlements:
                    method(spool, *values)
                spool.release_due()
                answers = [(ask.answer, ask.work(spool)) for ask in asks if not ask.answer.done()]
                self._insert(pushes, lack)
                if wanted is not None and spool.has_free:
                    taken = spool.take(wanted.jobs, wanted.size)
            if taken and self.wanted is wanted:
                self.wanted = None
            if was_set:
                self._ahead += jump
            self._trouble = lack
        except Exception as fault:  # also a fault of ours: without its thread the spool would store nothing more
            error = self._trouble = self._explained(fault)
            self.settlements.extendleft(reversed(settlements))
            taken.clear()
            answers = [(ask.answer, None) for ask in asks]
            for push in pushes:
                push.result = error
            if trouble is None:
                self.wake.set()  # without the pushes, and with an empty log, the rest may have room now
        self.began = 0.0
        self._call(self._tell, Turn(self._state(), self._trouble, pushes, wanted, taken, answers, error))

    def _take_pushes(self) -> list[Push]:
        found: list[Push] = []
        room = BATCH_BYTES
        while self.pushes and len(found) < BATCH:
            room -= self.pushes[0].size
            if found and room < 0:
                self.wake.set()
                break
            found.append(self.pushes.popleft())
        return found

    def _insert(self, pushes: Sequence[Push], lack: Full | None) -> None:
        rows: list[Row] = []
        size = 0
        for push in pushes:
            if push.done is None:  # its caller has Away already
                continue
            if lack is not None:
                push.result = lack
            elif self._spool.is_full(size + push.size, self._limits.max_bytes):
                push.result = full(self._pipeline, self._limits.max_bytes)
            else:
                rows += push.rows
                size += push.size
        self._spool.insert(rows)

    def _lack_of_room(self) -> Full | None:
        """Return the error of a disk that is nearly full."""
        if not self._limits.min_free:
            return None
        try:
            found = os.statvfs(self._spool.folder)
        except OSError:
            return None  # the commit says what is wrong
        if found.f_bavail * 100 >= found.f_blocks * self._limits.min_free:
            return None
        return Full(f"less than {self._limits.min_free} % of the disk of {self._spool.path} is free (min_free)")

    def _explained(self, error: Exception) -> JobsError:
        reason = str(error) if isinstance(error, sqlite3.Error) else reason_of(error)
        wants_room = isinstance(error, (sqlite3.Error, OSError)) and is_for_want_of_room(error)
        return (Full if wants_room else Away)(f"the spool {self._spool.path} failed: {reason}")

    def _state(self) -> QueueState:
        spool = self._spool
        figures = spool.figures
        trouble = self._trouble
        try:
            oldest = spool.oldest
        except sqlite3.Error:
            oldest = 0.0
        return QueueState(
            connected=not isinstance(trouble, Away),
            reason="" if trouble is None else str(trouble),
            waiting=figures.waiting - len(spool.held),
            delayed=figures.delayed,
            running=len(spool.held),
            dead=figures.dead,
            oldest=oldest,
            bytes=figures.bytes,
            duplicates=figures.duplicates,
            redelivered=figures.redelivered,
        )


def full(name: str, max_bytes: int) -> Full:
    """Return the error of a pipeline at its limit."""
    return Full(f"the pipeline {name} has no room within its {max_bytes} bytes (max_bytes)")


def _take(waiting: deque[Any]) -> list[Any]:
    """Empty a deque that the loop appends to."""
    return [waiting.popleft() for _ in range(len(waiting))]


def _steady() -> float:
    """Return the seconds of a clock that is never set, and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
