"""The pool: a fixed number of places, each with a task that keeps a worker in it.

A place's task (`_keep`) is the only one that decides about its worker: it waits until the worker is unfit (it died, it
reached a limit, it is to be replaced), sends it off and boots the next one. Deaths and limits only set that event.

A request takes a free worker from a stack, or waits in a queue; the worker that becomes free takes the next request
from the queue itself. One timer watches the head of the queue: the wait is the same for all, so the head is the first.

Crash loops: a worker that boots and dies without having served anybody is replaced at once the first time, then after
a pause that doubles up to MAX_PAUSE. A place that pauses has no hope; when no place has any, callers get an error at
once.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final

import anyio
from anyio.abc import TaskGroup

from ..container.protocols import Logger
from .call import Call
from .config import PoolConfig
from .errors import NoFreeWorker, PoolClosed, PoolError, QueueFull, WorkerBootError
from .info import describe
from .life import boot, dismiss
from .protocols import Payload, WorkerInfo
from .spawn import Launch
from .states import State
from .worker import Worker

FIRST_PAUSE: Final = 0.1
MAX_PAUSE: Final = 30.0
"""Seconds between the boots of a place whose workers die young."""

JITTER: Final = 0.15
"""`max_jobs` grows by up to this part per worker, so that they do not leave together."""


class WorkerPool:
    """A Pool (see protocols.py): entering it spawns the workers in parallel, leaving it destroys them."""

    def __init__(self, config: PoolConfig, launch: Launch, log: Logger) -> None:
        self._config = config
        self._launch = launch
        self._log = log
        self._size = config.num_workers or os.cpu_count() or 1
        self._workers: list[Worker] = []
        self._free: list[Worker] = []
        self._queue: deque[Call] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._load = 0
        self._hope = self._size
        self._last_fault = ""
        self._closed = True
        self._heirs: dict[Worker, Worker] = {}  # of a worker that a reset has retired: the one that takes its place
        self._resetting = asyncio.Lock()
        self._places: TaskGroup
        self._leavers: TaskGroup
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> WorkerPool:
        """Spawn the workers. Raises WorkerBootError, with the others destroyed, when one does not come up."""
        self._loop = asyncio.get_running_loop()
        self._leavers = anyio.create_task_group()
        await self._leavers.__aenter__()
        self._places = anyio.create_task_group()
        await self._places.__aenter__()
        self._closed = False
        try:
            await self._boot_all()
        except BaseException:
            await self.__aexit__(*sys.exc_info())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroy the workers; at once when cancelled. Requests that wait get PoolClosed, those that run may finish."""
        # What the body raised is not handed to the task groups: they would wrap it in an ExceptionGroup.
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._fail_queued(PoolClosed)
        self._places.cancel_scope.cancel()
        try:
            await self._places.__aexit__(None, None, None)
        finally:
            for worker in self._workers:
                self._leavers.start_soon(self._see_off, worker, self._config.destroy_timeout)
            self._workers = []
            await self._leavers.__aexit__(None, None, None)

    # What its users call.

    async def exec(self, payload: Payload) -> Payload:
        """Run one request on a free worker and return its answer.

        Raises SoftError, QueueFull, NoFreeWorker, WorkerBroken or PoolClosed; ValueError for more than 4 GiB. When the
        caller is cancelled the worker finishes all the same and its answer is dropped.
        """
        if self._closed:
            raise PoolClosed
        limit = self._config.max_queue_size
        if limit and self._load >= limit:
            raise QueueFull(limit)
        answer: asyncio.Future[Payload] = self._loop.create_future()
        call = Call(payload, answer)
        self._load += 1
        try:
            self.again(call)
            return await answer
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._queue.remove(call)
            raise
        finally:
            self._load -= 1

    def workers(self) -> Sequence[WorkerInfo]:
        """Return what the workers are doing now, the oldest first."""
        command = " ".join(self._launch.command)
        return [describe(worker, command) for worker in self._workers]

    async def reset(self) -> None:
        """Replace every worker, one after another: the new one is up before the old one leaves, so no request fails.

        Raises WorkerBootError when a new one does not come up; the old ones that are left stay.
        """
        async with self._resetting:
            for old in list(self._workers):
                if not self._stays(old):
                    continue
                fresh = await self._boot()
                if not self._stays(old):  # its place has found another one meanwhile
                    self._workers.remove(fresh)
                    await self._see_off(fresh, self._config.reset_timeout)
                    continue
                self._heirs[old] = fresh
                old.retire()

    # What its workers call.

    def free(self, worker: Worker) -> None:
        """Give the worker the next request, or let it wait for one."""
        queue = self._queue
        while queue:
            call = queue.popleft()
            if not call.answer.done():
                worker.send(call)
                return
        self._free.append(worker)

    def lost(self, worker: Worker) -> None:
        """Give no more requests to this worker."""
        if worker in self._free:
            self._free.remove(worker)

    def again(self, call: Call) -> None:
        """Run a request as soon as a worker is free."""
        if self._free:
            self._free.pop().send(call)
        elif self._closed:
            call.answer.set_exception(PoolClosed())
        elif not self._hope:
            call.answer.set_exception(NoFreeWorker(0, self._last_fault))
        else:
            call.deadline = self._loop.time() + self._config.allocate_timeout
            self._queue.append(call)
            if self._timer is None:
                self._timer = self._loop.call_at(call.deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._queue and self._queue[0].deadline <= now:
            self._queue.popleft().fail(NoFreeWorker(self._config.allocate_timeout))
        if self._queue:
            self._timer = self._loop.call_at(self._queue[0].deadline, self._expire)

    def _fail_queued(self, error: Callable[[], PoolError]) -> None:
        while self._queue:
            self._queue.popleft().fail(error())

    # The places.

    async def _boot(self) -> Worker:
        jobs = self._config.max_jobs
        if jobs:
            jobs += secrets.randbelow(int(jobs * JITTER) + 1)
        worker = await boot(self, self._launch, self._log, self._config.allocate_timeout, jobs)
        self._workers.append(worker)
        self._log.debug("worker is up", pid=worker.pid)
        return worker

    async def _boot_all(self) -> None:
        faults: list[WorkerBootError] = []

        async def fill_place() -> None:
            try:
                worker = await self._boot()
            except WorkerBootError as fault:
                faults.append(fault)
                boots.cancel_scope.cancel()
            else:
                self._places.start_soon(self._keep, worker)

        async with anyio.create_task_group() as boots:
            for _ in range(self._size):
                boots.start_soon(fill_place)
        if faults:
            raise faults[0]

    async def _keep(self, worker: Worker) -> None:
        """Keep a worker in one place of the pool, for ever."""
        failures = 0
        while True:
            await worker.unfit.wait()
            self._workers.remove(worker)
            heir = self._heirs.pop(worker, None)
            patience = self._config.reset_timeout if heir else self._config.destroy_timeout
            self._leavers.start_soon(self._see_off, worker, patience)
            if heir is None:
                heir, failures = await self._refill(failures + 1 if worker.died_young else 0)
            worker = heir

    def _stays(self, worker: Worker) -> bool:
        return not self._closed and not worker.unfit.is_set()

    async def _refill(self, failures: int) -> tuple[Worker, int]:
        """Boot a worker, again and again with growing pauses; `failures` in a row so far, counted on."""
        hopeless = False
        try:
            while True:
                if failures > 1:
                    if not hopeless:
                        hopeless = True
                        self._lose_hope()
                    pause = min(FIRST_PAUSE * 2 ** min(failures - 2, 16), MAX_PAUSE)
                    self._log.warning("workers die young, next try after a pause", failures=failures, pause=pause)
                    await anyio.sleep(pause)
                try:
                    return await self._boot(), failures
                except WorkerBootError as fault:
                    self._last_fault = str(fault)
                    self._log.warning("worker did not come up", error=str(fault))
                    failures += 1
        finally:
            self._hope += hopeless

    def _lose_hope(self) -> None:
        self._hope -= 1
        if not self._hope:
            self._fail_queued(lambda: NoFreeWorker(0, self._last_fault))

    async def _see_off(self, worker: Worker, patience: float) -> None:
        """Make a worker leave and log it when that was not its time."""
        try:
            await dismiss(worker, patience)
        finally:
            if worker.state is not State.STOPPED:
                remains = worker.remains
                self._last_fault = f"worker {remains.pid} died with {remains.status}{remains.told()}"
                self._log.warning(
                    "worker died",
                    pid=remains.pid,
                    status=remains.status,
                    fault=worker.fault,
                    printed=remains.printed.decode("utf-8", "replace"),
                )
