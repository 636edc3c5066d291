"""The queue of a spool, as the event loop sees it."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from ....container.errors import reason_of
from ...protocols import (
    Away,
    DeadJob,
    Done,
    Headers,
    Job,
    JobsError,
    PipelineSettings,
    Promise,
    QueueState,
    Rejected,
)
from .rows import Taken, to_row
from .spool import Spool
from .writer import Ask, Limits, Push, Settlement, Turn, Wanted, Writer, full

_MANY: Final = 1000
"""Dead jobs of one transaction."""

_Change = Callable[[Spool, Sequence[str] | None, int], int]


class SQLiteDelivery:
    """A job that this host holds."""

    __slots__ = ("_number", "_queue", "attempt", "job", "redelivered")

    def __init__(self, queue: SQLiteQueue, taken: Taken) -> None:
        self._queue = queue
        self._number, self.attempt, self.redelivered, self.job = taken

    def ack(self) -> None:
        """Delete the job."""
        self._queue.settle((Spool.ack, self._number))

    def retry(self, delay: float, headers: Headers | None = None) -> None:
        """Put it into the queue again, with `attempt` one higher."""
        texts, more = None, 0
        if headers is not None:
            texts = msgspec.json.encode(headers)
            more = msgspec.structs.replace(self.job, headers=headers).size - self.job.size
        self._queue.settle((Spool.retry, self._number, time.time() + delay if delay > 0 else 0.0, texts, more))

    def give_back(self) -> None:
        """Put it back as it was."""
        self._queue.settle((Spool.give_back, self._number))

    def dead(self, reason: str) -> None:
        """Put it among the dead."""
        self._queue.settle((Spool.bury, self._number, reason))


class SQLiteQueue:
    """The jobs of one pipeline. See `jobs/protocols.py`. `closed`: called after the end."""

    sorts: Final = True
    atomic: Final = True

    def __init__(self, path: Path, settings: PipelineSettings, limits: Limits, closed: Callable[[], object]) -> None:
        self.place = str(path)
        self.promise = Promise(f"is on the disk, in {path}", power_failure=True)
        self._path = path
        self._settings = settings
        self._limits = limits
        self._closed = closed
        self._state = QueueState(connected=False, reason="it is not open")
        self._refusal: JobsError | None = Away(f"the pipeline {settings.name} is closed")
        self._writer: Writer | None = None
        self._on_the_way: deque[Push] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def refusal(self) -> JobsError | None:
        """The error that a push would get now."""
        began = self._writer.began if self._writer is not None else 0.0
        if self._refusal is None and began and time.monotonic() > began + self._settings.timeout:
            return self._too_slow()
        return self._refusal

    def state(self) -> QueueState:
        """Return the figures of the last commit."""
        error = self.refusal
        if isinstance(error, Away) and self._state.connected:
            return msgspec.structs.replace(self._state, connected=False, reason=str(error))
        return self._state

    def _too_slow(self) -> Away:
        return Away(f"the disk of the spool {self._path} did not answer within {self._settings.timeout:g} s")

    async def open(self) -> None:
        """Open the file, and start its thread. Raises JobsError."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[QueueState | Exception] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()

        def take(state: QueueState | Exception, orphans: int) -> None:
            if orphans:
                self._settings.log.info("orphaned payloads deleted", pipeline=self._settings.name, files=orphans)
            if not isinstance(state, Exception):
                self._writer, self._state, self._refusal = writer, state, None
            if not opened.done():
                opened.set_result(state)

        def end() -> None:
            if not self._ended.done():  # `aclose` may have gone on without it
                self._ended.set_result(None)

        writer = Writer(self._open, self._limits, self._settings.name, take, self._take, end)
        writer.start()
        try:
            state = await opened
        except BaseException:
            writer.stopping = True
            writer.rouse()
            raise
        if isinstance(state, Exception):
            writer.join()
            self._closed()
            raise JobsError(str(state)) from state

    def _open(self) -> Spool:
        """Open the file, in the thread."""
        name = f"jobs.pipelines.{self._settings.name}.config.file {self._path}"
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise JobsError(f"cannot make the folder of {name}: {reason_of(error)}") from error
        try:
            return Spool(str(self._path), name, self._settings.name)
        except (OSError, sqlite3.Error) as error:
            raise JobsError(f"cannot use {name}: {reason_of(error)}") from error

    async def aclose(self) -> None:
        """Commit what is settled, and close the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.stopping = True
            writer.rouse()
            try:
                await self._ended
                writer.join()
            finally:
                self._refusal = Away(f"the pipeline {self._settings.name} is closed")
                self._fail_pushes(self._refusal)
                self._closed()

    # Pushes

    def push(self, jobs: Sequence[Job], done: Done) -> None:
        """Put jobs into the next commit."""
        if self._writer is None or self._refusal is not None:
            done(self._refusal or Away(f"the pipeline {self._settings.name} is closed"))
            return
        try:
            rows = [to_row(job) for job in jobs]
        except (ValueError, TypeError) as error:
            done(Rejected(f"the job cannot be stored: {reason_of(error)}"))
            return
        loop = asyncio.get_running_loop()
        push = Push(rows, sum(job.size for job in jobs), done, loop.time() + self._settings.timeout)
        self._on_the_way.append(push)
        if self._timer is None:
            self._timer = loop.call_at(push.deadline, self._time_out)
        self._writer.pushes.append(push)
        self._writer.rouse()

    def _time_out(self) -> None:
        """Fail the pushes that take too long: the disk stands still. One timer serves all of them."""
        loop = asyncio.get_running_loop()
        self._timer = None
        error = self._too_slow()
        while self._on_the_way:
            push = self._on_the_way[0]
            if push.done is not None:
                if push.deadline > loop.time():
                    self._timer = loop.call_at(push.deadline, self._time_out)
                    return
                self._refusal = error  # until the next commit
                _finish(push, error)
            self._on_the_way.popleft()

    def _fail_pushes(self, error: JobsError) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while self._on_the_way:
            _finish(self._on_the_way.popleft(), error)

    # Pulls and settlements

    async def pull(self, jobs: int, size: int) -> Sequence[SQLiteDelivery]:
        """Wait for due jobs."""
        writer = self._writer
        pulling: asyncio.Future[list[SQLiteDelivery]] = asyncio.get_running_loop().create_future()
        if writer is not None:
            writer.wanted = Wanted(jobs, size, pulling)
            writer.rouse()
        try:
            return await pulling
        except asyncio.CancelledError:
            if writer is not None:
                writer.wanted = None
            if not pulling.cancelled() and pulling.done():
                for each in pulling.result():
                    each.give_back()
            raise

    def settle(self, settlement: Settlement) -> None:
        """Put a settlement into the next commit. After the end it is lost: the job comes again."""
        if self._writer is not None:
            self._writer.settlements.append(settlement)
            self._writer.rouse()

    def _take(self, turn: Turn) -> None:
        """Take the results of a commit."""
        self._state = turn.state
        if self._writer is not None:
            limit = self._limits.max_bytes
            at_limit = 0 < limit <= turn.state.bytes
            self._refusal = turn.trouble or (full(self._settings.name, limit) if at_limit else None)
        for push in turn.pushes:
            _finish(push, push.result)
        while self._on_the_way and self._on_the_way[0].done is None:
            self._on_the_way.popleft()
        if turn.taken:
            deliveries = [SQLiteDelivery(self, each) for each in turn.taken]
            if turn.wanted is not None and not turn.wanted.answer.done():
                turn.wanted.answer.set_result(deliveries)
            else:
                for each in deliveries:
                    each.give_back()
        for answer, value in turn.answers:
            if answer.done():
                continue
            if turn.error is not None:
                answer.set_exception(turn.error)
            else:
                answer.set_result(value)

    # The dead

    async def list_dead(self, limit: int, after: str = "") -> Sequence[DeadJob]:
        """Return dead jobs in the order of their ids."""
        found: list[DeadJob] = await self._ask(lambda spool: spool.list_dead(limit, after))
        return found

    async def revive(self, ids: Sequence[str] | None = None) -> int:
        """Put dead jobs into the queue again."""
        return await self._change(Spool.revive, ids)

    async def purge(self, ids: Sequence[str] | None = None) -> int:
        """Delete dead jobs."""
        return await self._change(Spool.purge, ids)

    async def _change(
        self, change: Callable[[Spool, Sequence[str] | None, int], int], ids: Sequence[str] | None
    ) -> int:
        """Change dead jobs, in transactions of some."""
        if ids is not None:
            parts = [ids[at : at + _MANY] for at in range(0, len(ids), _MANY)]
            return sum([await self._ask(functools.partial(_changed, change, part)) for part in parts])
        total = 0
        while found := await self._ask(functools.partial(_changed, change, None)):
            total += found
        return total

    async def _ask(self, work: Callable[[Spool], Any]) -> Any:
        if self._writer is None:
            raise Away(f"the pipeline {self._settings.name} is closed")
        answer = asyncio.get_running_loop().create_future()
        self._writer.asks.append(Ask(work, answer))
        self._writer.rouse()
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await answer
        except TimeoutError:
            raise self._too_slow() from None


def _changed(change: _Change, ids: Sequence[str] | None, spool: Spool) -> int:
    return change(spool, ids, _MANY)


def _finish(push: Push, error: JobsError | None) -> None:
    done, push.done = push.done, None
    if done is not None:
        done(error)
