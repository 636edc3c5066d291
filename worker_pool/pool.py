"""The pool: it gives requests to workers.

A request takes a free worker from a stack, or waits in a queue (waiting.py). A worker that becomes free takes the next
request from the queue itself. The workers are in places (places.py), which replace the ones that leave. More workers
come while requests wait, where the configuration says so (allocator.py), or one for each request (fresh.py).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import TracebackType

from ..container.masking import masked
from ..container.protocols import Logger
from .allocator import DynamicAllocator
from .call import Call, CallbackCall, StreamCall
from .config import PoolConfig
from .errors import LastWorker, NoFreeWorker, PoolClosed, PoolError, QueueFull
from .fresh import FreshWorkers
from .info import describe
from .places import Places
from .protocols import Payload, PoolInfo, WorkerInfo
from .spawn import Launch
from .states import State
from .supervisor import supervise
from .waiting import WaitingQueue
from .worker import Worker


class WorkerPool:
    """A Pool (see protocols.py): entering it spawns the workers in parallel, leaving it stops them.

    It may be entered again. `served`: requests answered so far.
    """

    def __init__(self, config: PoolConfig, launch: Launch, log: Logger) -> None:
        self.served = 0
        self._config = config
        self._launch = launch
        self._log = log
        self._loop: asyncio.AbstractEventLoop | None = None  # while it is entered
        self._load = 0  # requests that wait or run
        self._no_free_workers = 0
        self._free: list[Worker] = []
        self._queue = WaitingQueue(config.allocate_timeout, lambda call: self._refuse(call, config.allocate_timeout))
        size = config.num_workers or os.cpu_count() or 1
        self._places = Places(self, config, 0 if config.debug else size, launch, log)
        self._allocator: DynamicAllocator | None = None
        self._spawner: DynamicAllocator | FreshWorkers | None = None
        if config.debug:
            self._spawner = FreshWorkers(size, config.destroy_timeout, self._places, self._queue)
        elif config.dynamic_allocator is not None:
            self._spawner = self._allocator = DynamicAllocator(
                config.dynamic_allocator, self._places, self._queue, self._free, log
            )

    async def __aenter__(self) -> WorkerPool:
        """Spawn the workers. Raises WorkerBootError, after it has stopped the others, when one does not come up."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._places.open()
        except BaseException:
            await self.__aexit__(*sys.exc_info())
            raise
        self._places.start(supervise, self._places, self._config, self._allocator, self._log)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the workers; at once when cancelled. Requests that wait get PoolClosed, those that run may finish."""
        # The error is not for the task groups of the places: they would wrap it in an ExceptionGroup.
        self._loop = None
        self._queue.stop()
        for call in self._queue.drain():
            call.fail(PoolClosed())
        if self._spawner is not None:
            self._spawner.stop()
        await self._places.close()

    # Called by its users.

    async def exec(self, payload: Payload) -> Payload:
        """Run one request on a free worker and return its answer.

        Raises SoftError, UnexpectedStream, QueueFull, NoFreeWorker, WorkerBroken (ExecTimeout among them) or
        PoolClosed; ValueError for more than 4 GiB. When the caller is cancelled the worker finishes all the same and
        its answer is dropped.
        """
        call = Call(payload, self._admit().create_future())
        self._load += 1
        try:
            self.dispatch(call)
            return await call.answer
        except asyncio.CancelledError:
            self._queue.remove(call)
            raise
        finally:
            self._load -= 1

    def submit(self, make: Callable[[], Payload], done: Callable[[Payload | Exception], None]) -> None:
        """Run one request that `make` makes when a worker is free for it. `done` gets what `exec` returns or raises.

        `done` may be called before this returns, and must not raise. No task waits for the request, and it cannot be
        cancelled. Raises QueueFull, PoolClosed.
        """
        self._admit()
        self._load += 1

        def finish(outcome: Payload | Exception) -> None:
            self._load -= 1
            done(outcome)

        self.dispatch(CallbackCall(make, finish))

    @asynccontextmanager
    async def stream(self, payload: Payload) -> AsyncIterator[AsyncIterator[Payload]]:
        """Run one request whose answer comes in parts; iterate over them as they arrive.

        The context is entered with the first part. An answer that is not a stream is one part. Leaving before the last
        part, or being cancelled, cancels the rest. Entering and iterating raise what `exec` raises, except for
        UnexpectedStream.
        """
        call = StreamCall(payload, self._admit().create_future())
        self._load += 1
        try:
            self.dispatch(call)
            await call.answer
            yield call
        except asyncio.CancelledError:
            self._queue.remove(call)
            raise
        finally:
            self._load -= 1
            call.leave()

    @property
    def closed(self) -> bool:
        """Whether it is not entered, or is being left."""
        return self._loop is None

    @property
    def full(self) -> bool:
        """Whether one more request would fail for `max_queue_size`."""
        return 0 < self._config.max_queue_size <= self._load

    @property
    def ready(self) -> bool:
        """Whether a worker can take a request, now or after its present one; in the mode debug always."""
        able = (State.READY, State.WORKING)
        return self._config.debug or any(worker.state in able for worker in self._places.workers)

    @property
    def uid(self) -> int | None:
        """The system user that the workers run as, None for the host's own."""
        account = self._launch.account
        return account.uid if account is not None else None

    def workers(self) -> Sequence[WorkerInfo]:
        """Return the state of each worker, the oldest first; after them those that finish a last request."""
        command = " ".join(masked(self._launch.command))
        return [describe(worker, command) for worker in self._places.workers]

    def info(self) -> PoolInfo:
        """Return the figures of the pool as a whole."""
        workers = self._places.workers
        return PoolInfo(
            workers=len(workers),
            waiting=self._queue.count,
            running=sum(worker.busy for worker in workers),
            served=self.served,
            no_free_workers=self._no_free_workers,
        )

    async def reset(self) -> None:
        """Replace every worker, one after another: the new one is up before the old one leaves, so no request fails.

        A place that pauses after a crash boots its next worker at once. When a new worker does not come up, the old
        ones that are left continue to work. Raises WorkerBootError, NoFreeWorker (every place pauses), PoolClosed.
        """
        await self._places.run(self._places.reset)

    async def add_worker(self) -> None:
        """Add one worker, for good, and return when it is up. Raises TooManyWorkers, WorkerBootError, PoolClosed."""
        if self._config.debug and not self.closed:
            raise PoolError("no worker can be added: in the mode debug each request has one of its own")
        await self._places.run(self._places.grow)

    async def remove_worker(self) -> None:
        """Remove one worker, for good: an idle one where there is one, else one that finishes its request first.

        Raises LastWorker, PoolClosed.
        """
        if self.closed:
            raise PoolClosed
        if self._places.size <= 1:
            raise LastWorker
        self._places.size -= 1
        self._places.retire_one(next(iter(self._free), None))

    # Called by its workers and places.

    def free(self, worker: Worker) -> None:
        """Give the worker the next request, or keep it for the next one that comes."""
        if self._queue and (call := self._queue.next()) is not None:
            worker.send(call)
        else:
            self._free.append(worker)

    def retired(self, worker: Worker) -> None:
        """Give no more requests to this worker."""
        if worker in self._free:
            self._free.remove(worker)

    def dispatch(self, call: Call) -> None:
        """Give a request to a free worker, or let it wait for one."""
        if self._free:
            self._free.pop().send(call)
        elif self._loop is None:
            call.fail(PoolClosed())
        elif self._places.all_failing:
            self._refuse(call)
        else:
            self._queue.add(call, self._loop)
            if self._spawner is not None:
                self._spawner.request_waits()

    def no_worker_left(self) -> None:
        """Fail the requests that wait."""
        for call in self._queue.drain():
            self._refuse(call)

    def _admit(self) -> asyncio.AbstractEventLoop:
        """Return the event loop for one more request. Raises PoolClosed, QueueFull."""
        if self._loop is None:
            raise PoolClosed
        if self.full:
            raise QueueFull(self._config.max_queue_size)
        return self._loop

    def _refuse(self, call: Call, waited: float = 0) -> None:
        self._no_free_workers += 1
        call.fail(NoFreeWorker(waited, self._places.last_fault))
