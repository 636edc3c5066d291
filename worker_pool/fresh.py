"""The mode debug: each request has a worker of its own, which boots after the request has come."""

from __future__ import annotations

from .errors import WorkerBootError
from .places import Places
from .waiting import WaitingQueue


class FreshWorkers:
    """Boots a worker for each request that waits, at most `limit` at the same time.

    `timeout`: seconds that a busy worker has to finish when the pool closes.
    """

    def __init__(self, limit: int, timeout: float, places: Places, queue: WaitingQueue) -> None:
        self._limit = limit
        self._timeout = timeout
        self._places = places
        self._queue = queue
        self._count = 0

    def request_waits(self) -> None:
        """Called with each request that waits."""
        if self._count < self._limit:
            self._count += 1
            self._places.start(self._serve)

    def stop(self) -> None:
        """Called when the pool closes: its tasks end with the pool."""

    async def _serve(self) -> None:
        """Boot a worker for one request, again and again while requests wait."""
        try:
            while self._queue:
                try:
                    worker = await self._places.boot(max_jobs=1)
                except WorkerBootError as fault:
                    self._places.log_failed_boot(fault)
                    if (call := self._queue.next()) is not None:
                        call.fail(fault)
                    continue
                if not worker.busy:
                    worker.retire()  # no request waits any more, and the next one gets a fresh worker
                await worker.retirement()
                self._places.discard(worker, self._timeout)
        finally:
            self._count -= 1
