"""Messages to workers: parse, make the event, run it on the pool, read the verdict (docs/reference/events.md).

What we want: a message that waits for its worker costs its bytes, which the budget counts, and neither a task nor a
turn of the event loop. What does not work: to make the event when the message arrives, because an event is up to six
times as large and may wait for a minute. What we do:

- A small message is parsed, and its event made, in the moment in which a worker takes it. That takes less time than to
  hand it over to a thread.
- A large message is parsed in a thread, one at a time, so that it never holds up the event loop. Its event is made
  ahead, and charged to the budget. When `AHEAD` bytes of events are made, the next one waits.
- Where attachments become files, a small message is parsed when it arrives. One with attachments takes the way of the
  large ones, because files are written in a thread. The parsed text is charged to the budget as the message once more.

What can still fail: memory may exceed the budget by AHEAD bytes plus one event, and by the events of the small messages
that workers have now.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from ...container.masking import mask_text
from ...container.protocols import Logger
from ...mime.message import Message, parse
from ...worker_pool import NoFreeWorker, Payload, Pool, PoolError
from ..protocol import replies
from ..protocol.body import Budget
from .event import Arrival, build_event
from .files import Storage
from .outcome import FAILED, Outcome, Pending, Running
from .verdict import read_verdict

OFF_LOOP: Final = 256 * 1024
"""Bytes of a message above which it is parsed in a thread."""

AHEAD: Final = 64 * 1024 * 1024
"""Bytes of large messages' events that are made before a worker is free for them. A single event may be larger."""


class Delivery:
    """Hands messages to a pool's workers.

    `budget`: the events are charged to it. `include_raw`: the event's body is the message, byte for byte.
    `all_headers`: the event has every header undecoded too. `lmtp`: a client reads a reply for each recipient.
    `storage`: where attachments become files, None to have their contents in the event. `allocate_timeout`: seconds
    that a large message waits before its event is made.
    """

    def __init__(
        self,
        pool: Pool,
        log: Logger,
        budget: Budget,
        *,
        include_raw: bool = False,
        all_headers: bool = False,
        lmtp: bool = False,
        storage: Storage | None = None,
        allocate_timeout: float = 60,
    ) -> None:
        self._pool = pool
        self._log = log
        self._budget = budget
        self._include_raw = include_raw
        self._all_headers = all_headers
        self._lmtp = lmtp
        self._storage = storage
        self._allocate_timeout = allocate_timeout
        self._closed = False
        self._turn = anyio.Lock()
        self._ahead = 0  # bytes of events that were made in a thread and are not answered
        self._less_ahead = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether the pool takes no more requests now."""
        return self._pool.full

    def close(self) -> None:
        """Give every message whose answer is still to come the outcome of its session: the host stops."""
        self._closed = True

    def deliver(self, arrival: Arrival, content: bytes) -> Pending[Outcome]:
        """Hand a message to a worker. Never raises: a failure is a temporary refusal, so the sender keeps the mail."""
        if len(content) > OFF_LOOP:
            return self._run(arrival, content, None)
        if self._storage is None:
            return self._submit(arrival, content, None)
        message = parse(content)
        deliver = self._run if message.attachments else self._submit
        pending = deliver(arrival, content, message)
        self._budget.used += len(content)
        pending.then(lambda _: self._release(len(content)))
        return pending

    def _release(self, size: int) -> None:
        self._budget.used -= size

    # A small message.

    def _submit(self, arrival: Arrival, content: bytes, message: Message | None) -> Pending[Outcome]:
        request = _Request(self, arrival, content, message)
        try:
            self._pool.submit(request.make, request.take)
        except PoolError as error:
            request.take(error)
        return request

    # A large one.

    def _run(self, arrival: Arrival, content: bytes, message: Message | None) -> Pending[Outcome]:
        return Running(self._deliver(arrival, content, message), self._log, arrival.uuid)

    async def _deliver(self, arrival: Arrival, content: bytes, message: Message | None) -> Outcome:
        paths: list[Path] = []
        try:
            async with self._event(arrival, content, message, paths) as event:
                answer = await self._pool.exec(self.payload(event, content))
        except (PoolError, OSError) as error:
            self._remove(paths)
            return self.outcome(arrival, error)
        except BaseException:
            self._remove(paths)
            raise
        if self._storage is not None and paths:
            self._storage.remove_later(paths)
        return self.outcome(arrival, answer)

    @asynccontextmanager
    async def _event(
        self, arrival: Arrival, content: bytes, message: Message | None, paths: list[Path]
    ) -> AsyncIterator[bytes]:
        """Make an event in a thread when it is its turn and there is room; it counts until the end of the block."""
        await self._take_turn(len(content))
        try:
            event = await anyio.to_thread.run_sync(self._build, arrival, content, message, paths)
            self._charge(len(event))
        finally:
            self._turn.release()
        try:
            yield event
        finally:
            self._charge(-len(event))

    async def _take_turn(self, size: int) -> None:
        """Hold the lock, with room for an event of about `size` bytes. Raises NoFreeWorker."""
        try:
            with anyio.fail_after(self._allocate_timeout):
                await self._turn.acquire()
                try:
                    while self._ahead and self._ahead + size > AHEAD:
                        self._less_ahead.clear()
                        await self._less_ahead.wait()
                except BaseException:
                    self._turn.release()
                    raise
        except TimeoutError:
            raise NoFreeWorker(self._allocate_timeout) from None

    def _charge(self, size: int) -> None:
        self._ahead += size
        self._budget.used += size
        if size < 0:
            self._less_ahead.set()

    def _build(self, arrival: Arrival, content: bytes, message: Message | None, paths: list[Path]) -> bytes:
        """Return the event, with the attachments written to files where there is a storage. Blocks."""
        message = message or parse(content)
        if self._storage is None:
            return self.event(arrival, message)
        self._storage.write(arrival.id, message.attachments, paths)
        return self.event(arrival, message, [str(path) for path in paths])

    def _remove(self, paths: list[Path]) -> None:
        if self._storage is not None:
            self._storage.remove(paths)

    # Both.

    def event(self, arrival: Arrival, message: Message, paths: Sequence[str] | None = None) -> bytes:
        """Return the event of a message, as `build_event` does."""
        return build_event(arrival, message, paths, all_headers=self._all_headers)

    def payload(self, event: bytes, content: bytes) -> Payload:
        """Return the request to a worker."""
        return Payload(event, content if self._include_raw else b"")

    def outcome(self, arrival: Arrival, answer: Payload | Exception) -> Outcome:
        """Return what a worker's answer, or the error in its place, means for a message."""
        if isinstance(answer, Payload):
            outcome = read_verdict(answer.context, answer.body, recipients=len(arrival.to), lmtp=self._lmtp)
            if outcome.reason:
                self._log.error("answer without a verdict", uuid=arrival.uuid, id=arrival.id, reason=outcome.reason)
        else:
            outcome = FAILED._replace(reason=mask_text(str(answer)))
            self._log.warning("email not accepted", uuid=arrival.uuid, id=arrival.id, reason=outcome.reason)
        # After `close` the client has had its 421 already.
        return Outcome((replies.STOPPING,), reason=outcome.reason) if self._closed else outcome


class _Request(Pending[Outcome]):
    """A small message, and its outcome. `message`: its parsed form, None to parse it when a worker takes it."""

    __slots__ = ("_arrival", "_content", "_delivery", "_message")

    def __init__(self, delivery: Delivery, arrival: Arrival, content: bytes, message: Message | None) -> None:
        self.result = None  # not by super(): this is made for every message
        self._listeners = []
        self._delivery = delivery
        self._arrival = arrival
        self._content = content
        self._message = message

    def make(self) -> Payload:
        """Make the request to the worker."""
        event = self._delivery.event(self._arrival, self._message or parse(self._content))
        return self._delivery.payload(event, self._content)

    def take(self, answer: Payload | Exception) -> None:
        """Take the worker's answer, or the error in its place."""
        self.settle(self._delivery.outcome(self._arrival, answer))
