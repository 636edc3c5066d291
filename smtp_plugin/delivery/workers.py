"""Messages to workers: parse, make the event, run it on the pool, read the verdict (EVENTS.md).

What we want: a message that waits for its worker costs its bytes, which the budget counts, and neither a task nor a
turn of the event loop. What does not work: making the event when the message comes in, because it is up to six times
as large and may wait for a minute. What we do:

- A small message is parsed, and its event made, in the moment in which a worker takes it: that takes less time than to
  hand it over to a thread. Its verdict is a callback.
- A larger one, or one whose attachments become files, is parsed in a thread, one at a time, so that it never holds up
  the event loop. Its event is made ahead, and charged to the budget; when `AHEAD` bytes of them are made, the next one
  waits.

What can still fail: a budget that is used up has on top of it AHEAD bytes and one event, and the events of small
messages that workers have under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from ...container.protocols import Logger
from ...mime.message import parse
from ...worker_pool import NoFreeWorker, Payload, Pool, PoolError
from ..protocol.body import Budget
from .event import Arrival, build_event
from .files import Storage
from .verdict import FAILED, Verdict, read_verdict

OFF_LOOP: Final = 256 * 1024
"""Bytes of a message above which it is parsed in a thread."""

AHEAD: Final = 64 * 1024 * 1024
"""Bytes of such messages' events that are made before there is a worker for them; of one event, there may be more."""

Told = Callable[[Verdict, str], None]
"""Takes what becomes of a message, and the reason where no worker decided that."""


class Delivery:
    """Hands messages to a pool's workers.

    `budget`: what the events are charged to. `include_raw`: the event's body is the message, byte for byte. `storage`:
    where attachments become files, None to have their contents in the event. `patience`: seconds that a large message
    waits before its event is made.
    """

    def __init__(
        self,
        pool: Pool,
        log: Logger,
        budget: Budget,
        *,
        include_raw: bool = False,
        storage: Storage | None = None,
        patience: float = 60,
    ) -> None:
        self._pool = pool
        self._log = log
        self._budget = budget
        self._include_raw = include_raw
        self._storage = storage
        self._patience = patience
        self._maker = anyio.Lock()
        self._made = 0  # bytes of events that were made in a thread and are not answered
        self._less_made = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether the pool takes no more requests now."""
        return self._pool.full

    def is_small(self, content: bytes) -> bool:
        """Whether `submit` and `ask` may have this message; any other is for `deliver`."""
        return len(content) <= OFF_LOOP and (self._storage is None or not parse(content).attachments)

    def submit(self, arrival: Arrival, content: bytes, told: Told) -> None:
        """Run a small message on a worker; `told` is called once, perhaps before this returns. Never raises."""
        errand = _Errand(self, arrival, content, told)
        try:
            self._pool.submit(errand.make, errand.done)
        except PoolError as error:
            errand.done(error)

    async def ask(self, arrival: Arrival, content: bytes) -> tuple[Verdict, str]:
        """Run a small message as `submit` does, for a caller that awaits what becomes of it."""
        answer: asyncio.Future[tuple[Verdict, str]] = asyncio.get_running_loop().create_future()

        def told(verdict: Verdict, reason: str) -> None:
            if not answer.done():  # its caller was cancelled
                answer.set_result((verdict, reason))

        self.submit(arrival, content, told)
        return await answer

    async def deliver(self, arrival: Arrival, content: bytes) -> tuple[Verdict, str]:
        """Run any other message on a worker and return what becomes of it, and why where no worker decided that.

        Never raises but when cancelled: what goes wrong is a temporary refusal, so that the sender keeps the message.
        """
        paths: list[Path] = []
        try:
            async with self._event(arrival, content, paths) as event:
                answer = await self._pool.exec(self._payload(event, content))
        except (PoolError, OSError) as error:
            self._forget(paths)
            return self.failed(arrival, error)
        except BaseException:
            self._forget(paths)
            raise
        if self._storage is not None and paths:
            self._storage.keep(paths)
        return self.decided(arrival, answer)

    @asynccontextmanager
    async def _event(self, arrival: Arrival, content: bytes, paths: list[Path]) -> AsyncIterator[bytes]:
        """Make an event in a thread when it is its turn and there is room; it counts until the end of the block."""
        await self._take_turn(len(content))
        try:
            event = await anyio.to_thread.run_sync(self._build, arrival, content, paths)
            self._charge(len(event))
        finally:
            self._maker.release()
        try:
            yield event
        finally:
            self._charge(-len(event))

    async def _take_turn(self, size: int) -> None:
        """Hold the lock, with room for an event of about `size` bytes. Raises NoFreeWorker."""
        try:
            with anyio.fail_after(self._patience):
                await self._maker.acquire()
                try:
                    while self._made and self._made + size > AHEAD:
                        self._less_made.clear()
                        await self._less_made.wait()
                except BaseException:
                    self._maker.release()
                    raise
        except TimeoutError:
            raise NoFreeWorker(self._patience) from None

    def _charge(self, size: int) -> None:
        self._made += size
        self._budget.used += size
        if size < 0:
            self._less_made.set()

    def make(self, arrival: Arrival, content: bytes) -> Payload:
        """Return the request of a small message."""
        return self._payload(build_event(arrival, parse(content)), content)

    def decided(self, arrival: Arrival, answer: Payload) -> tuple[Verdict, str]:
        """Read a worker's answer."""
        verdict = read_verdict(answer.context)
        if verdict.warning:
            self._log.warning("odd answer of a worker", uuid=arrival.uuid, id=arrival.id, reason=verdict.warning)
        return verdict, verdict.warning

    def failed(self, arrival: Arrival, error: Exception) -> tuple[Verdict, str]:
        """Tell that no worker decided about a message."""
        self._log.warning("email not accepted", uuid=arrival.uuid, id=arrival.id, reason=str(error))
        return FAILED, str(error)

    def _payload(self, event: bytes, content: bytes) -> Payload:
        return Payload(event, content if self._include_raw else b"")

    def _build(self, arrival: Arrival, content: bytes, paths: list[Path]) -> bytes:
        message = parse(content)
        if self._storage is None:
            return build_event(arrival, message)
        self._storage.write(arrival.id, message.attachments, paths)
        return build_event(arrival, message, [str(path) for path in paths])

    def _forget(self, paths: list[Path]) -> None:
        if self._storage is not None:
            self._storage.remove(paths)


class _Errand:
    """A small message on its way to a worker and back."""

    __slots__ = ("_arrival", "_content", "_delivery", "_told")

    def __init__(self, delivery: Delivery, arrival: Arrival, content: bytes, told: Told) -> None:
        self._delivery = delivery
        self._arrival = arrival
        self._content = content
        self._told = told

    def make(self) -> Payload:
        """Make the request."""
        return self._delivery.make(self._arrival, self._content)

    def done(self, outcome: Payload | Exception) -> None:
        """Take the answer, or the error."""
        delivery, arrival = self._delivery, self._arrival
        if isinstance(outcome, Payload):
            self._told(*delivery.decided(arrival, outcome))
        else:
            self._told(*delivery.failed(arrival, outcome))
