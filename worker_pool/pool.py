"""The pool: a number of places, each with a task that keeps a worker in it.

A place's task (`_keep`) is the only one that takes its worker out of the pool: it waits until the worker is unfit (it
died, it reached a limit, it is to be replaced), sends it off and boots the next one. Everything else only retires
workers, and says how many places there should be (`_target`): a place whose worker has gone ends when there are too
many. So the supervisor (supervisor.py), a reset and a change of size never fight over a worker.

A request takes a free worker from a stack, or waits in a queue (waiting.py); the worker that becomes free takes the
next request from the queue itself.

Crash loops: a worker that boots and dies without having served anybody is replaced at once the first time, then after
a pause that doubles up to MAX_PAUSE. A place that pauses has no hope; when no place has any, callers get an error at
once.
"""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final

import anyio
from anyio.abc import TaskGroup

from ..container.protocols import Logger
from .call import Call, Errand, StreamCall
from .config import MAX_WORKERS, PoolConfig, SupervisorConfig
from .errors import LastWorker, NoFreeWorker, PoolClosed, PoolError, QueueFull, TooManyWorkers, WorkerBootError
from .exchange import Terms
from .info import describe
from .life import boot, dismiss
from .protocols import Payload, PoolInfo, WorkerInfo
from .spawn import Launch
from .states import State
from .supervisor import supervise
from .waiting import Waiting
from .worker import Worker

FIRST_PAUSE: Final = 0.1
MAX_PAUSE: Final = 30.0
"""Seconds between the boots of a place whose workers die young."""

JITTER: Final = 0.15
"""`max_jobs` grows by up to this part per worker, so that they do not leave together."""

REACTION: Final = 0.02
"""Seconds that a request waits before `dynamic_allocator` starts more workers."""


class WorkerPool:
    """A Pool (see protocols.py): entering it spawns the workers in parallel, leaving it destroys them."""

    def __init__(self, config: PoolConfig, launch: Launch, log: Logger) -> None:
        self.served = 0
        self._config = config
        self._limits = config.supervisor or SupervisorConfig()
        self._launch = launch
        self.log = log
        self._size = config.num_workers or os.cpu_count() or 1
        self._no_free_workers = 0
        self._closed = True
        self._workers: list[Worker] = []
        self._resetting = asyncio.Lock()
        self._keepers: TaskGroup
        self._leavers: TaskGroup
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> WorkerPool:
        """Spawn the workers. Raises WorkerBootError, with the others destroyed, when one does not come up."""
        self._loop = asyncio.get_running_loop()
        self._target = 0 if self._config.debug else self._size  # places that there should be
        self._places = 0
        self._hopeless = 0  # places that pause
        self._extra = 0  # places that the dynamic allocator has added
        self._growing = False  # more workers are being added, or will be if requests wait still
        self._barren = 0  # rounds in a row of the dynamic allocator of which no worker came up
        self._fresh = 0  # workers for one request each, in the mode debug
        self._workers = []
        self._free: list[Worker] = []
        self._heirs: dict[Worker, tuple[Worker, float]] = {}  # of a retired one: who takes its place; its patience
        self._leaving: set[Worker] = set()  # that are being seen off
        patience = self._config.allocate_timeout
        self._queue = Waiting(patience, lambda call: self._refuse(call, patience))
        self._load = 0
        self._last_fault = ""
        self._nudge = asyncio.Event()
        self._leavers = anyio.create_task_group()
        await self._leavers.__aenter__()
        self._keepers = anyio.create_task_group()
        await self._keepers.__aenter__()
        self._closed = False
        try:
            await self._boot_all()
        except BaseException:
            await self.__aexit__(*sys.exc_info())
            raise
        self._keepers.start_soon(supervise, self, self._limits, self._config.dynamic_allocator)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroy the workers; at once when cancelled. Requests that wait get PoolClosed, those that run may finish."""
        # What the body raised is not handed to the task groups: they would wrap it in an ExceptionGroup.
        self._closed = True
        self._queue.stop()
        for call in self._queue.drain():
            call.fail(PoolClosed())
        self._keepers.cancel_scope.cancel()
        try:
            await self._keepers.__aexit__(None, None, None)
        finally:
            for worker in self._workers:
                self._leavers.start_soon(self._see_off, worker, self._config.destroy_timeout)
            self._workers = []
            await self._leavers.__aexit__(None, None, None)

    # What its users call.

    async def exec(self, payload: Payload) -> Payload:
        """Run one request on a free worker and return its answer.

        Raises SoftError, UnexpectedStream, QueueFull, NoFreeWorker, WorkerBroken (ExecTimeout among them) or
        PoolClosed; ValueError for more than 4 GiB. When the caller is cancelled the worker finishes all the same and
        its answer is dropped.
        """
        call = Call(payload, self._admit())
        self._load += 1
        try:
            self.again(call)
            return await call.answer
        except asyncio.CancelledError:
            self._queue.remove(call)
            raise
        finally:
            self._load -= 1

    def submit(self, make: Callable[[], Payload], done: Callable[[Payload | Exception], None]) -> None:
        """Run one request that `make` makes when a worker is free for it; `done` is called with what `exec` gives.

        That may be at once, before this returns. No task waits for it, and nobody can cancel it. `done` must not raise.
        Raises QueueFull, PoolClosed.
        """
        self._check_in()
        self._load += 1

        def finish(outcome: Payload | Exception) -> None:
            self._load -= 1
            done(outcome)

        self.again(Errand(make, finish))

    @asynccontextmanager
    async def stream(self, payload: Payload) -> AsyncIterator[AsyncIterator[Payload]]:
        """Run one request whose answer comes in parts, which are iterated as they come.

        Entered when the first part is there. An answer that is no stream is one part. Leaving before the last part, or
        being cancelled, cancels the rest. Entering and iterating raise what `exec` raises, but for UnexpectedStream.
        """
        call = StreamCall(payload, self._admit())
        self._load += 1
        try:
            self.again(call)
            await call.answer
            yield call
        except asyncio.CancelledError:
            self._queue.remove(call)
            raise
        finally:
            self._load -= 1
            call.leave()

    @property
    def full(self) -> bool:
        """Whether one more request would fail for `max_queue_size`."""
        return 0 < self._config.max_queue_size <= self._load

    @property
    def uid(self) -> int | None:
        """The system user that the workers run as, None for the host's own."""
        account = self._launch.account
        return account.uid if account is not None else None

    def workers(self) -> Sequence[WorkerInfo]:
        """Return what the workers are doing now, the oldest first; behind them those that finish a last request."""
        command = " ".join(self._launch.command)
        return [describe(worker, command) for worker in self._all]

    def info(self) -> PoolInfo:
        """Return what the pool as a whole is doing now."""
        return PoolInfo(
            workers=len(self._all),
            waiting=self._queue.count,
            running=sum(worker.busy for worker in self._all),
            served=self.served,
            no_free_workers=self._no_free_workers,
        )

    async def reset(self) -> None:
        """Replace every worker, one after another: the new one is up before the old one leaves, so no request fails.

        A place that pauses after a crash tries again at once. Raises WorkerBootError when a new worker does not come
        up, with the old ones that are left still there; NoFreeWorker when every place pauses.
        """
        await self._as_own(self._reset)

    async def add_worker(self) -> None:
        """Add one worker, for good, and return when it is up. Raises TooManyWorkers, WorkerBootError, PoolClosed."""
        await self._as_own(self._add_worker)

    async def remove_worker(self) -> None:
        """Take one worker away, for good: an idle one where there is one, else it finishes its request.

        Raises LastWorker, PoolClosed.
        """
        if self._closed:
            raise PoolClosed
        if self._target - self._extra <= 1:
            raise LastWorker
        self.shrink()

    # What its workers call.

    def free(self, worker: Worker) -> None:
        """Give the worker the next request, or let it wait for one."""
        if self._queue and (call := self._queue.next()) is not None:
            worker.send(call)
        else:
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
            call.fail(PoolClosed())
        elif self._without_hope:
            self._refuse(call)
        else:
            self._queue.add(call)
            if self._config.debug:
                self._ask_for_fresh()
            elif self._config.dynamic_allocator is not None and not self._growing:
                self._growing = True
                self._loop.call_later(REACTION, self._grow)

    # What its supervisor calls.

    @property
    def standing(self) -> list[Worker]:
        """The workers that are to stay, the oldest first."""
        return [worker for worker in self._workers if self._stays(worker)]

    @property
    def idle(self) -> list[Worker]:
        """The workers without a request, the one that has waited longest first."""
        return list(self._free)

    @property
    def extra(self) -> int:
        """How many workers the dynamic allocator has added."""
        return self._extra

    async def replace(self, old: Worker, reached: State | None = None) -> None:
        """Let a new worker take the place of an old one, which leaves when that is up. Raises WorkerBootError.

        `reached`: the limit for which it is replaced; then it leaves when it has finished its request.
        """
        async with self._resetting:
            if not self._stays(old):
                return
            fresh = await self._boot()
            if not self._stays(old) or (old.busy and reached is State.IDLE_TTL_REACHED):
                # Its place has found another one meanwhile, or it is not idle any more.
                self._workers.remove(fresh)
                self._leavers.start_soon(self._see_off, fresh, self._config.reset_timeout)
                return
            self._heirs[old] = fresh, self._config.reset_timeout if reached is None else math.inf
            if reached is not None:
                old.expire(reached)
            old.retire()

    def shrink(self, worker: Worker | None = None, *, extra: bool = False) -> None:
        """Have one place less: of this worker, of an idle one, or of the oldest."""
        self._target -= 1
        self._extra -= extra
        leaver = worker or next(iter([*self._free, *self.standing]), None)
        if leaver is not None:
            leaver.retire()

    # The queue.

    def _admit(self) -> asyncio.Future[Payload]:
        """Return the future of one more answer. Raises PoolClosed, QueueFull."""
        self._check_in()
        return self._loop.create_future()

    def _check_in(self) -> None:
        if self._closed:
            raise PoolClosed
        if self.full:
            raise QueueFull(self._config.max_queue_size)

    @property
    def _without_hope(self) -> bool:
        """Whether every place pauses after failures."""
        return 0 < self._hopeless == self._places

    def _refuse(self, call: Call, waited: float = 0) -> None:
        self._no_free_workers += 1
        call.fail(NoFreeWorker(waited, self._last_fault))

    # The places.

    async def _boot(self, max_jobs: int | None = None) -> Worker:
        limits = self._limits
        jobs = self._config.max_jobs if max_jobs is None else max_jobs
        if jobs > 1:
            jobs += secrets.randbelow(int(jobs * JITTER) + 1)
        terms = Terms(jobs, limits.exec_ttl, self._config.stream_timeout)
        worker = await boot(self, self._launch, self.log, self._config.allocate_timeout, terms)
        self._workers.append(worker)
        self.log.debug("worker is up", pid=worker.pid)
        return worker

    async def _boot_all(self) -> None:
        faults: list[WorkerBootError] = []

        async def fill_place() -> None:
            try:
                self._add_place(await self._boot())
            except WorkerBootError as fault:
                faults.append(fault)
                boots.cancel_scope.cancel()

        async with anyio.create_task_group() as boots:
            for _ in range(self._target):
                boots.start_soon(fill_place)
        if faults:
            raise faults[0]

    def _add_place(self, worker: Worker) -> None:
        self._places += 1
        self._keepers.start_soon(self._keep, worker)

    async def _keep(self, worker: Worker) -> None:
        """Keep a worker in one place of the pool, for as long as there is to be such a place."""
        failures = 0
        heir: Worker | None = worker
        while heir is not None:
            worker = heir
            await worker.unfit.wait()
            self._workers.remove(worker)
            heir, patience = self._heirs.pop(worker, (None, self._config.destroy_timeout))
            self._leavers.start_soon(self._see_off, worker, patience)
            if heir is None:
                heir, failures = await self._refill(failures + 1 if worker.died_young else 0)
        self._places -= 1

    @property
    def _all(self) -> list[Worker]:
        """The workers, and those that are leaving and finish a request first."""
        return [*self._workers, *(worker for worker in self._leaving if worker.busy)]

    def _stays(self, worker: Worker) -> bool:
        return not (self._closed or worker.unfit.is_set() or worker.expiring or worker in self._heirs)

    async def _refill(self, failures: int) -> tuple[Worker | None, int]:
        """Boot a worker, again and again with growing pauses; None when the place is not wanted any more.

        `failures`: in a row so far, counted on.
        """
        hopeless = False
        try:
            while self._places <= self._target:
                if failures > 1:
                    if not hopeless:
                        hopeless = True
                        self._lose_hope()
                    pause = min(FIRST_PAUSE * 2 ** min(failures - 2, 16), MAX_PAUSE)
                    self.log.warning("workers die young, next try after a pause", failures=failures, pause=pause)
                    with anyio.move_on_after(pause):
                        await self._nudge.wait()
                try:
                    return await self._boot(), failures
                except WorkerBootError as fault:
                    self._last_fault = str(fault)
                    self.log.warning("worker did not come up", error=str(fault))
                    failures += 1
            return None, failures
        finally:
            self._hopeless -= hopeless

    def _lose_hope(self) -> None:
        self._hopeless += 1
        if self._without_hope:
            for call in self._queue.drain():
                self._refuse(call)

    async def _see_off(self, worker: Worker, patience: float) -> None:
        """Make a worker leave and log it when that was not its time."""
        self._leaving.add(worker)
        try:
            await dismiss(worker, patience)
        finally:
            self._leaving.discard(worker)
            if worker.state is not State.STOPPED:
                remains = worker.remains
                self._last_fault = f"worker {remains.pid} died with {remains.status}{remains.told()}"
                self.log.warning(
                    "worker died",
                    pid=remains.pid,
                    status=remains.status,
                    fault=worker.fault,
                    printed=remains.printed.decode("utf-8", "replace"),
                )

    # More and fewer of them.

    async def _as_own(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run it as a task of the pool and wait for it: it ends with the pool, and goes on when its caller leaves."""
        if self._closed:
            raise PoolClosed
        outcome: asyncio.Future[None] = self._loop.create_future()

        async def run() -> None:
            fault: PoolError | None = PoolClosed()
            try:
                await work()
                fault = None
            except PoolError as error:
                fault = error
            finally:
                if not outcome.done():
                    outcome.set_exception(fault) if fault else outcome.set_result(None)

        self._keepers.start_soon(run)
        await outcome

    async def _reset(self) -> None:
        nudged, self._nudge = self._nudge, asyncio.Event()
        nudged.set()
        if self._without_hope:
            raise NoFreeWorker(0, self._last_fault)
        for old in self.standing:
            await self.replace(old)

    async def _add_worker(self) -> None:
        if self._config.debug:
            raise PoolError("no worker can be added: in the mode debug each request has one of its own")
        if self._target >= MAX_WORKERS:
            raise TooManyWorkers(MAX_WORKERS)
        self._target += 1
        try:
            self._add_place(await self._boot())
        except BaseException:
            self._target -= 1
            raise

    def _grow(self) -> None:
        """Start more workers when requests wait still: the dynamic allocator."""
        self._growing = False
        allocator = self._config.dynamic_allocator
        if self._closed or allocator is None:
            return
        waiting = self._queue.count
        count = min(waiting, allocator.spawn_rate, allocator.max_workers - self._extra)
        if count > 0:
            self._growing = True
            self.log.debug("requests wait, workers are added", waiting=waiting, workers=count)
            self._keepers.start_soon(self._grow_by, count)

    async def _grow_by(self, count: int) -> None:
        failures = 0

        async def fill_place() -> None:
            nonlocal failures
            try:
                self._add_place(await self._boot())
            except WorkerBootError as fault:
                failures += 1
                self._target -= 1
                self._extra -= 1
                self.log.warning("worker did not come up", error=str(fault))

        self._target += count
        self._extra += count
        async with anyio.create_task_group() as boots:
            for _ in range(count):
                boots.start_soon(fill_place)
        if failures < count:
            self._barren = 0
            self._grow()
            return
        self._barren += 1
        pause = min(FIRST_PAUSE * 2 ** min(self._barren - 1, 16), MAX_PAUSE)
        self._loop.call_later(pause, self._grow)

    # The mode debug.

    def _ask_for_fresh(self) -> None:
        if self._fresh < self._size:
            self._fresh += 1
            self._keepers.start_soon(self._serve_afresh)

    async def _serve_afresh(self) -> None:
        """Start a worker for one request, as long as any waits."""
        try:
            while self._queue:
                try:
                    worker = await self._boot(max_jobs=1)
                except WorkerBootError as fault:
                    self.log.warning("worker did not come up", error=str(fault))
                    if (call := self._queue.next()) is not None:
                        call.fail(fault)
                    continue
                if not worker.busy:
                    worker.retire()  # nobody waits any more, and the next request wants a fresh one
                await worker.unfit.wait()
                self._workers.remove(worker)
                self._leavers.start_soon(self._see_off, worker, self._config.destroy_timeout)
        finally:
            self._fresh -= 1
