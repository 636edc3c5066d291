"""The queue of one pipeline on NATS: pushes, the figures, and the life of its parts."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...errors import Away, Full, JobsError, Rejected
from ...job import new_id
from ...protocols import DeadJob, Done, Job, PipelineSettings, Promise, QueueState
from .bodies import Bodies
from .client import cancel
from .config import NatsConfig, NatsPipeline
from .connection import Connection, State
from .dead import DeadLetters, seconds
from .delivery import Delivery, Settlements
from .message import LARGEST_HEADERS, Message, body_of, message_of, parse_headers, to_headers
from .puller import Puller
from .requests import Answer
from .streams import make_or_check

if TYPE_CHECKING:
    from nats.aio.client import Client

_DEFAULT_PAYLOAD: Final = 1024 * 1024
_PACE: Final = 0.3
"""Seconds between two questions for the figures, while something happens."""
_IDLE: Final = 5.0
_TRIAL: Final = 5.0
"""Seconds after a push without an answer, in which MAIL is refused. The next push is a trial."""
_FLUSH: Final = 3.0
"""Seconds that the end waits for the answers to acknowledgements."""
_PROBE: Final = b"NATS/1.0\r\nNats-Expected-Stream: -\r\n\r\n"
"""The server refuses such a message for its header, and so shows the permission without storing anything."""


class _Push:
    """A push that has not all its answers."""

    __slots__ = ("_done", "_error", "_left", "_queue")

    def __init__(self, queue: NatsQueue, count: int, done: Done) -> None:
        self._queue = queue
        self._left = count
        self._done = done
        self._error: JobsError | None = None

    def answered(self, answer: Answer) -> None:
        """Count an answer."""
        if isinstance(answer, JobsError):
            self._error = self._error or self._queue.refused(answer)
        else:
            self._queue.silent = None
            if answer.get("duplicate"):
                self._queue.duplicates += 1
        self._left -= 1
        if not self._left:
            self._queue.poll()
            self._done(self._error)


class NatsQueue:
    """See `jobs/protocols.py`. Each queue has a connection of its own."""

    sorts: Final = False
    atomic: Final = False

    def __init__(self, servers: NatsConfig, settings: PipelineSettings, closed: Callable[[], None]) -> None:
        pipeline: NatsPipeline = settings.config
        self.place = pipeline.subject
        self._closed = closed
        self.duplicates = 0
        self._pipeline = pipeline
        self._timeout = settings.timeout
        self._log = settings.log
        self._name = settings.name
        self.connection = Connection(servers, self._prepare, self._changed)
        self._bodies = Bodies(pipeline, self.connection.requests, lambda: self.connection.client)
        self._settlements = Settlements(
            self.connection.requests, pipeline, settings.timeout, self._released, self._forget
        )
        self._puller = Puller(pipeline, self._settlements, settings.attempts, self._bodies.get, self.connection.renew)
        self._dead = DeadLetters(self.connection.requests, pipeline, self._bodies)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._full: Full | None = None
        self.silent: Away | None = None
        """Why the stream counts as away while the connection is there: the last push had no answer."""
        self._next_trial = 0.0
        self._figures = QueueState()
        self._max_payload = _DEFAULT_PAYLOAD
        self._is_closed = False

    # Life

    async def open(self) -> None:
        """Connect, and make or check the streams. Raises Differs."""
        try:
            await self.connection.open()
        except JobsError:
            self._closed()
            raise
        self._start(self._puller.extend())
        self._start(self._watch())

    async def aclose(self) -> None:
        """Give back what is held, and end the connection last, when the server has each acknowledgement."""
        if self._is_closed:
            return
        self._is_closed = True
        self._puller.give_back_ready()
        for delivery in list(self._puller.held.values()):
            delivery.give_back()
        try:
            await self._settlements.flush(_FLUSH)
        finally:
            try:
                await cancel(*self._tasks)
            finally:
                await self.connection.aclose()
                self._closed()

    @property
    def promise(self) -> Promise:
        """What a successful push means."""
        count = self._pipeline.replicas
        where = "one server of NATS, whose loss loses it" if count == 1 else f"{count} servers of NATS"
        stream = self._pipeline.stream
        return Promise(f"is in the stream {stream} of {where}; a power failure may too without sync_interval: always")

    # Pushing

    @property
    def refusal(self) -> JobsError | None:
        """The error that a push would get now."""
        state = self.connection.state
        if state is State.CONNECTED:
            if self.silent is not None and asyncio.get_running_loop().time() < self._next_trial:
                return self.silent
            return self._full
        kind = Rejected if state is State.REFUSED else Away
        return kind(f"NATS is {state.value}: {self.connection.reason}" if self.connection.reason else "NATS is away")

    def push(self, jobs: Sequence[Job], done: Done) -> None:
        """Store jobs in the stream."""
        push = _Push(self, len(jobs), done)
        if self.silent is not None:
            self._next_trial = asyncio.get_running_loop().time() + self._timeout
        for job in jobs:
            message = message_of(job)
            headers = to_headers(message, job.id)
            if len(headers) > LARGEST_HEADERS:
                push.answered(Rejected(f"the headers of the job have {len(headers)} bytes, of {LARGEST_HEADERS}"))
            elif message.length > self._most_of_a_message():
                self._start(self._push_large(message, push))
            else:
                requests = self.connection.requests
                requests.add(self.place, body_of(message), headers, self._timeout, push.answered)

    def _most_of_a_message(self) -> int:
        """Return the bytes of a body that goes with the headers of any retry, and with those of a dead letter."""
        return max(self._max_payload - LARGEST_HEADERS, self._max_payload // 2)

    async def _push_large(self, message: Message, push: _Push) -> None:
        """Store the body as an object of this push alone, then the job: a job of this id may be there already."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        name = new_id()
        stored = Message(_without_body(message.job), object=name, length=message.length, split=message.split)
        try:
            await self._bodies.put(name, (message.job.envelope, message.job.payload), self._timeout)
            left = max(0.1, deadline - loop.time())
            stored_as = await self.connection.requests.ask(
                self.place, b"", to_headers(stored, message.job.id), timeout=left
            )
            if stored_as.get("duplicate"):
                self._start(self._forget_repeated(name, stored_as.get("seq", 0)))
            answer: Answer = stored_as
        except (Full, Rejected) as error:
            self._forget(name)
            answer = error
        except JobsError as error:
            answer = error
        except asyncio.CancelledError:
            push.answered(Away("the connection to NATS is closed"))
            raise
        push.answered(answer)

    def refused(self, error: JobsError) -> JobsError:
        """Return the error of a push. A full stream refuses each push until its figures show room.

        A server whose disk is full answers everything but a push.
        """
        self.silent = None
        if isinstance(error, Away) and self.connection.state is State.CONNECTED:
            error = self.silent = Away(f"the stream {self._pipeline.stream} stores nothing: {error}")
            self._next_trial = asyncio.get_running_loop().time() + _TRIAL
        elif isinstance(error, Full):
            place = "is full, see its max_bytes" if "maximum" in str(error) else "has no room on the servers"
            error = self._full = Full(f"the stream {self._pipeline.stream} {place}: {error}")
        return error

    # Pulling

    async def pull(self, jobs: int, size: int) -> Sequence[Delivery]:
        """Wait for jobs."""
        found = await self._puller.pull(jobs, size)
        self.poll()
        return found

    def _released(self, reply: str) -> None:
        self._puller.held.pop(reply, None)
        self.poll()

    def _forget(self, name: str) -> None:
        self._start(self._bodies.delete(name))

    async def _forget_repeated(self, name: str, sequence: int) -> None:
        """Remove the object of a push whose id was there, unless the job there is of this push: an answer was lost.

        A job that has left its place may have the object too. Then the server removes it after bodies.KEPT.
        """
        subject, argument = f"$JS.API.STREAM.MSG.GET.{self._pipeline.stream}", b'{"seq":%d}' % sequence
        with contextlib.suppress(JobsError):
            answer = await self.connection.requests.ask(subject, argument, timeout=self._timeout)
            if "message" in answer:
                headers = parse_headers(base64.b64decode(answer["message"].get("hdrs", "")))
                if headers.get("rr_object") != name:
                    await self._bodies.delete(name)

    # The connection

    async def _prepare(self, client: Client) -> None:
        """Make or check the streams, test the permission to publish, and begin to receive."""
        self._max_payload = client.max_payload
        self.silent = None
        await make_or_check(self.connection.requests, self._pipeline, self._timeout)
        with contextlib.suppress(Rejected):
            await self.connection.requests.ask(self.place, b"", _PROBE, timeout=_IDLE)
        await self._puller.start(client)
        self.poll()

    def _changed(self, state: State, reason: str) -> None:
        good = state in (State.CONNECTED, State.CLOSED)
        log = self._log.info if good else self._log.warning
        log(f"NATS is {state.value}", pipeline=self._name, **({"reason": reason} if reason else {}))

    # Figures

    def state(self) -> QueueState:
        """Return the figures of lately, and what this host counts itself."""
        reason = str(self.silent or "")
        if self.connection.state is not State.CONNECTED:
            reason = self.connection.reason or self.connection.state.value
        known = self._figures
        return QueueState(
            connected=not reason,
            reason=reason,
            waiting=known.waiting,
            delayed=known.delayed,
            running=known.running,
            dead=known.dead,
            oldest=known.oldest,
            bytes=known.bytes,
            duplicates=self.duplicates,
            redelivered=self._puller.redelivered,
        )

    def poll(self) -> None:
        """Ask for the figures soon."""
        self._puller.heard.set()

    async def _watch(self) -> None:
        """Ask for the figures while something happens, and now and then. Never returns."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE):
                    await self._puller.heard.wait()
            self._puller.heard.clear()
            if self.connection.state is State.CONNECTED:
                with contextlib.suppress(Away, Rejected, Full):
                    await self._learn()
            await asyncio.sleep(_PACE)

    async def _learn(self) -> None:
        pipeline, ask = self._pipeline, self.connection.requests.ask
        consumer = await ask(f"$JS.API.CONSUMER.INFO.{pipeline.stream}.{pipeline.stream}", timeout=_IDLE)
        work = await ask(f"$JS.API.STREAM.INFO.{pipeline.stream}", timeout=_IDLE)
        dead = await ask(f"$JS.API.STREAM.INFO.{pipeline.dead_stream}", timeout=_IDLE)
        if work.get("missing") or dead.get("missing") or consumer.get("missing"):
            self.connection.renew(f"the stream {pipeline.stream}, its consumer or its dead letters were deleted")
            return
        state, limit = work["state"], pipeline.max_bytes
        waiting = consumer["num_pending"]
        delayed = self._puller.delayed()
        self._figures = QueueState(
            waiting=waiting,
            delayed=delayed,
            running=max(0, consumer["num_ack_pending"] - delayed),
            dead=dead["state"]["messages"],
            oldest=seconds(state["first_ts"]) if waiting and state["messages"] else 0,
            bytes=state["bytes"] + dead["state"]["bytes"],
        )
        if self._full is not None and (not limit or state["bytes"] <= limit * 0.95):
            self._full = None

    # Dead letters

    async def list_dead(self, limit: int, after: str = "") -> Sequence[DeadJob]:
        """Return dead jobs in the order of their ids."""
        await self._settlements.flush(_FLUSH)
        return await self._dead.read(limit, after)

    async def revive(self, ids: Sequence[str] | None = None) -> int:
        """Put dead jobs into the queue again."""
        await self._settlements.flush(_FLUSH)
        return await self._dead.revive(ids)

    async def purge(self, ids: Sequence[str] | None = None) -> int:
        """Delete dead jobs."""
        await self._settlements.flush(_FLUSH)
        return await self._dead.purge(ids)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _without_body(job: Job) -> Job:
    return msgspec.structs.replace(job, payload=b"", envelope=b"")
