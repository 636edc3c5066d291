"""The places of a pool: each has a task that keeps one worker in it.

Only a place's task (`_keep`) takes its worker out of the pool. It waits until the worker is retired, stops it and boots
the next one. A worker retires when it dies, when it reaches a limit, or when it is to be replaced. The supervisor
(supervisor.py), a reset and a change of size only retire workers and set the number of places (`size`, `extra`). A
place ends after its worker when there are too many. So the three never compete for a worker.

Crash loops: a worker that boots and dies without an answer is replaced at once the first time, then after a pause that
doubles (backoff.py). A place that pauses is failing. While every place is failing, callers get an error at once. While
a place boots a worker, they wait for it.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Protocol, TypeVarTuple

import anyio
from anyio.abc import TaskGroup

from ..container.deadline import time_limit
from ..container.protocols import Logger
from .backoff import pause_after
from .config import MAX_WORKERS, PoolConfig, SupervisorConfig
from .errors import NoDescriptors, NoFreeWorker, PoolClosed, PoolError, TooManyWorkers, WorkerBootError, WorkerBroken
from .life import boot, stop_worker
from .limits import WorkerLimits
from .spawn import Launch
from .states import State
from .worker import Dispatcher, Worker

Arguments = TypeVarTuple("Arguments")

JITTER: Final = 0.15
"""`max_jobs` grows by up to this part for each worker, so that they do not leave together."""

NO_DESCRIPTORS_INTERVAL: Final = 60.0
"""Seconds between two lines of the log about missing descriptors."""


class PlacesOwner(Dispatcher, Protocol):
    """The pool, as its places see it."""

    @property
    def closed(self) -> bool:
        """Whether it is not entered, or is being left."""
        ...

    def no_worker_left(self) -> None:
        """Called when every place pauses."""
        ...


class Places:
    """The workers of a pool, and all its tasks: `open` boots the workers, `close` stops them.

    `size`: the number of places that there are to be; `extra`: how many the dynamic allocator has added to them.
    `last_fault`: of the last worker that died or did not come up.
    """

    def __init__(self, owner: PlacesOwner, config: PoolConfig, size: int, launch: Launch, log: Logger) -> None:
        self.size = 0
        self.extra = 0
        self.last_fault = ""
        self._owner = owner
        self._config = config
        self._first_size = size
        self._launch = launch
        self._log = log
        self._workers: list[Worker] = []
        self._replacements: dict[Worker, tuple[Worker, float]] = {}  # of a retired one, and its time for its request
        self._stopping: set[Worker] = set()
        self._count = 0
        self._silent_until = 0.0  # about missing descriptors; monotonic
        self._failing = 0
        self._retry_now = asyncio.Event()
        self._replacing = asyncio.Lock()
        self._keepers: TaskGroup | None = None
        self._stoppers: TaskGroup | None = None

    async def open(self) -> None:
        """Boot the workers in parallel. Raises WorkerBootError when one does not come up. Call `close` in any case."""
        self.size, self.extra = self._first_size, 0
        self._stoppers = anyio.create_task_group()
        await self._stoppers.__aenter__()
        self._keepers = anyio.create_task_group()
        await self._keepers.__aenter__()
        faults: list[WorkerBootError] = []
        with anyio.CancelScope() as boots:

            def failed(fault: WorkerBootError) -> None:
                faults.append(fault)
                boots.cancel()

            await self.add(self.size, failed)
        if faults:
            raise faults[0]

    async def close(self) -> None:
        """End every task, and stop the workers; at once when cancelled."""
        keepers, stoppers = self._keepers, self._stoppers
        assert keepers is not None, "only what was opened is closed"
        assert stoppers is not None
        keepers.cancel_scope.cancel()
        try:
            await keepers.__aexit__(None, None, None)
        finally:
            for worker in self._workers:
                stoppers.start_soon(self._stop_and_report, worker, self._config.destroy_timeout)
            self._workers.clear()
            self._replacements.clear()
            await stoppers.__aexit__(None, None, None)

    def start(self, work: Callable[[*Arguments], Coroutine[Any, Any, None]], *arguments: *Arguments) -> None:
        """Start a task of the pool; it ends with the pool."""
        assert self._keepers is not None, "an open pool has tasks"
        self._keepers.start_soon(work, *arguments)

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` as a task of the pool and wait for it. It continues when the caller is cancelled.

        Raises its PoolError; PoolClosed when the pool closes first.
        """
        if self._owner.closed:
            raise PoolClosed
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def settle() -> None:
            fault: PoolError | None = PoolClosed()
            try:
                await work()
                fault = None
            except PoolError as error:
                fault = error
            finally:
                if not outcome.done():
                    outcome.set_exception(fault) if fault else outcome.set_result(None)

        self.start(settle)
        await outcome

    # The workers.

    @property
    def workers(self) -> Sequence[Worker]:
        """The workers, the oldest first; after them those that finish a last request."""
        return [*self._workers, *(worker for worker in self._stopping if worker.busy)]

    @property
    def staying(self) -> Sequence[Worker]:
        """The workers without those that leave or are about to, the oldest first."""
        return [worker for worker in self._workers if self._stays(worker)]

    @property
    def all_failing(self) -> bool:
        """Whether there are places and each of them pauses after failures."""
        return 0 < self._failing == self._count

    def _stays(self, worker: Worker) -> bool:
        return not (self._owner.closed or worker.retired or worker.expiring or worker in self._replacements)

    async def boot(self, max_jobs: int | None = None) -> Worker:
        """Boot a worker, which is in no place yet. Raises WorkerBootError.

        `max_jobs`: in place of the configuration's.
        """
        limits = self._config.supervisor or SupervisorConfig()
        jobs = self._config.max_jobs if max_jobs is None else max_jobs
        if jobs > 1:
            jobs += secrets.randbelow(int(jobs * JITTER) + 1)
        own = WorkerLimits(jobs, limits.exec_ttl, self._config.stream_timeout)
        worker = await boot(self._owner, self._launch, self._log, self._config.allocate_timeout, own)
        self._workers.append(worker)
        self._log.debug("worker is up", pid=worker.pid)
        return worker

    def log_failed_boot(self, fault: WorkerBootError, message: str = "worker did not come up") -> None:
        """Log that a worker did not come up; for want of descriptors as an error, and once a minute only."""
        if not isinstance(fault, NoDescriptors):
            self._log.warning(message, error=str(fault))
        elif time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + NO_DESCRIPTORS_INTERVAL
            self._log.error(message, error=str(fault), limit=fault.limit)

    def discard(self, worker: Worker, timeout: float) -> None:
        """Take a worker out of the pool, and stop it. `timeout`: seconds for its request."""
        self._workers.remove(worker)
        assert self._stoppers is not None, "an open pool has tasks"
        self._stoppers.start_soon(self._stop_and_report, worker, timeout)

    async def _stop_and_report(self, worker: Worker, timeout: float) -> None:
        """Make a worker exit. Log an exit without the stop frame."""
        self._stopping.add(worker)
        try:
            await stop_worker(worker, timeout)
        finally:
            self._stopping.discard(worker)
            if worker.state is not State.STOPPED:
                self.last_fault = str(WorkerBroken(worker.exit_report, worker.fault))
                self._log.warning("worker died", **worker.exit_report.keys(worker.fault))

    # The places.

    async def add(self, count: int, failed: Callable[[WorkerBootError], None]) -> None:
        """Boot workers in parallel, a place for each; call `failed` for each that does not come up."""

        async def fill_place() -> None:
            try:
                worker = await self.boot()
            except WorkerBootError as fault:
                failed(fault)
            else:
                self._count += 1
                self.start(self._keep, worker)

        async with anyio.create_task_group() as boots:
            for _ in range(count):
                boots.start_soon(fill_place)

    async def _keep(self, first: Worker) -> None:
        """Keep a worker in one place of the pool, until there are too many places."""
        failures = 0
        current: Worker | None = first
        try:
            while current is not None:
                worker = current
                await worker.retirement()
                reason = worker.reason_to_leave or ("reset" if worker in self._replacements else "died")
                current, timeout = self._replacements.pop(worker, (None, self._config.destroy_timeout))
                self.discard(worker, timeout)
                if current is None:
                    current, failures = await self._refill(failures + 1 if worker.died_early else 0)
                if current is not None:
                    self._log.info("worker replaced", pid=worker.pid, by=current.pid, reason=reason)
        finally:
            self._count -= 1

    async def _refill(self, failures: int) -> tuple[Worker | None, int]:
        """Boot a worker, again and again after growing pauses. Return None when there are too many places.

        `failures`: in a row so far; returned together with those of this call.
        """
        while self._count <= self.size + self.extra:
            if failures > 1:
                await self._pause(failures)
            try:
                return await self.boot(), failures
            except WorkerBootError as fault:
                self.last_fault = str(fault)
                self.log_failed_boot(fault)
                failures += 1
        return None, failures

    async def _pause(self, failures: int) -> None:
        pause = pause_after(failures - 1)
        self._log.warning("workers keep dying, next start after a pause", failures=failures, pause=pause)
        self._failing += 1
        try:
            if self.all_failing:
                self._owner.no_worker_left()
            with time_limit(pause):
                await self._retry_now.wait()
        finally:
            self._failing -= 1

    # More, fewer and other workers.

    async def replace(self, old: Worker, reached: State | None = None) -> None:
        """Boot a replacement for a worker, which leaves after that. Raises WorkerBootError.

        `reached`: the limit for which it is replaced; then its request has no time limit.
        """
        async with self._replacing:
            if not self._stays(old):
                return
            new = await self.boot()
            if not self._stays(old) or (old.busy and reached is State.IDLE_TTL_REACHED):
                # Its place has found another one meanwhile, or it is not idle any more.
                self.discard(new, self._config.reset_timeout)
                return
            self._replacements[old] = new, self._config.reset_timeout if reached is None else math.inf
            if reached is not None:
                old.expire(reached)
            old.retire()

    async def reset(self) -> None:
        """Replace every worker, one after another. Raises WorkerBootError; NoFreeWorker when every place is failing."""
        self._retry_now.set()
        self._retry_now = asyncio.Event()
        if self.all_failing:
            raise NoFreeWorker(0, self.last_fault)
        for old in self.staying:
            await self.replace(old)

    async def grow(self) -> None:
        """Add one place, for good. Raises TooManyWorkers, WorkerBootError."""
        if self.size + self.extra >= MAX_WORKERS:
            raise TooManyWorkers(MAX_WORKERS)
        faults: list[WorkerBootError] = []
        self.size += 1
        try:
            await self.add(1, faults.append)
            if faults:
                raise faults[0]
        except BaseException:
            self.size -= 1
            raise

    def retire_one(self, worker: Worker | None = None) -> None:
        """Retire this worker, or else the oldest, after `size` or `extra` has become less."""
        leaver = worker or next(iter(self.staying), None)
        if leaver is not None:
            leaver.retire()
