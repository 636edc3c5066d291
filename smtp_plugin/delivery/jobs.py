"""Messages into a queue of jobs: the client has its 250 once the queue has the message.

By default the queue holds the message as it came, and its arrival as JSON. An event can be six times as large. The host
that gives the job to a worker parses the message (`request_of`), so a host that only takes mail does not. With other
payloads a job has no arrival: the worker gets its payload as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Literal, Protocol, runtime_checkable

import anyio
import anyio.to_thread
import msgspec
from msgspec import Meta, Struct

from ...container.config.fields import Duration
from ...container.masking import mask_text
from ...container.protocols import Logger
from ...mime.message import parse
from ..protocol import replies
from ..protocol.body import Budget
from ..protocol.replies import Reply
from .event import Arrival, build_event
from .outcome import ACCEPTED, FAILED, Outcome, Pending, Running
from .workers import OFF_LOOP

JOB: Final = "smtp.email"
"""The name of the job."""


class MailJobsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """The jobs of messages, with `deliver: jobs`."""

    pipeline: Annotated[str, Meta(min_length=1, description="a pipeline of the section `jobs`")] = "smtp"
    payload: Annotated[
        Literal["mail", "event", "raw"],
        Meta(
            description="what the queue holds. `mail`: the message and its envelope; the host that consumes makes the "
            "event for its worker. `event`: the event itself, for consumers other than rrpy; it can be six times as "
            "large. `raw`: the message, which a worker gets as it came, with the envelope in the job's headers."
        ),
    ] = "mail"
    priority: Annotated[int, Meta(description="a lower number goes first; 0 means the priority of the pipeline")] = 0
    delay: Annotated[Duration, Meta(description="the time before a worker may get the message")] = Duration(0)
    auto_ack: Annotated[
        bool, Meta(description="a message is done when a worker gets it, whatever the worker answers")
    ] = False
    keep_passwords: Annotated[
        bool, Meta(description="store the password of AUTH too. Without it the event has an empty one.")
    ] = True


@runtime_checkable
class JobQueues(Protocol):
    """The plugin `jobs`, as the SMTP server sees it."""

    def check_pipeline(self, pipeline: str) -> None:
        """Raise ConfigError for a pipeline that is not there."""
        ...

    def job_refusal(self, pipeline: str) -> Exception | None:
        """Return the error that a push would get now; its `wants_room` says whether room is what it lacks."""
        ...

    def push_job(
        self,
        pipeline: str,
        job_id: str,
        name: str,
        payload: bytes,
        envelope: bytes,
        *,
        headers: Mapping[str, Sequence[str]],
        priority: int | None,
        delay: float,
        auto_ack: bool,
        done: Callable[[Exception | None], None],
    ) -> None:
        """Push a job. `done` is called once, with the error or None."""
        ...


class StoredJob(Protocol):
    """A job, as a consuming host has it."""

    @property
    def payload(self) -> bytes:
        """The message."""
        ...

    @property
    def envelope(self) -> bytes:
        """What `JobDelivery` stored with it."""
        ...


class _Stored(Struct, frozen=True, omit_defaults=True):
    arrival: Arrival
    all_headers: bool = False


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Stored).decode
_NO_HEADERS: Final[Mapping[str, Sequence[str]]] = {}


class JobDelivery:
    """Puts messages into a pipeline.

    `budget`: a large event is charged to it. `all_headers`: events have every header undecoded too.
    """

    def __init__(
        self, queues: JobQueues, config: MailJobsConfig, log: Logger, budget: Budget, *, all_headers: bool
    ) -> None:
        self._queues = queues
        self._config = config
        self._log = log
        self._budget = budget
        self._all_headers = all_headers
        self._closed = False
        self._turn = anyio.Lock()

    def close(self) -> None:
        """Make the outcome of every message that waits the reply of its session: the host stops."""
        self._closed = True

    def deliver(self, arrival: Arrival, content: bytes) -> Pending[Outcome]:
        """Push a message. Never raises: a failure is a temporary refusal, so the sender keeps the mail."""
        config = self._config
        if arrival.authentication is not None and not config.keep_passwords:
            mechanism, username, _ = arrival.authentication
            arrival = msgspec.structs.replace(arrival, authentication=(mechanism, username, ""))
        if config.payload == "mail":
            return self._push(arrival, content, _encode(_Stored(arrival, self._all_headers)))
        if config.payload == "raw":
            return self._push(arrival, content, headers=_headers_of(arrival))
        if len(content) > OFF_LOOP:
            return Running(self._push_large(arrival, content), self._log, arrival.uuid)
        return self._push(arrival, self._event(arrival, content))

    async def _push_large(self, arrival: Arrival, content: bytes) -> Outcome:
        """Make the event of a large message in a thread, one at a time, and push it."""
        async with self._turn:
            event = await anyio.to_thread.run_sync(self._event, arrival, content)
        self._budget.used += len(event)
        try:
            return await self._push(arrival, event).wait()
        finally:
            self._budget.used -= len(event)

    def _event(self, arrival: Arrival, content: bytes) -> bytes:
        return build_event(arrival, parse(content), all_headers=self._all_headers)

    def _push(
        self,
        arrival: Arrival,
        payload: bytes,
        envelope: bytes = b"",
        headers: Mapping[str, Sequence[str]] = _NO_HEADERS,
    ) -> _Push:
        config = self._config
        pending = _Push(self, arrival)
        self._queues.push_job(
            config.pipeline,
            arrival.id,
            JOB,
            payload,
            envelope,
            headers=headers,
            priority=config.priority or None,
            delay=float(config.delay),
            auto_ack=config.auto_ack,
            done=pending.done,
        )
        return pending

    def refusal(self) -> Reply | None:
        """Return the reply to MAIL while the pipeline takes no jobs; None while it takes them."""
        error = self._queues.job_refusal(self._config.pipeline)
        return None if error is None else _reply(error, self._config.pipeline)

    def trouble(self) -> str:
        """Return why the pipeline takes nothing now; empty where it does."""
        error = self._queues.job_refusal(self._config.pipeline)
        return "" if error is None else mask_text(str(error))

    def outcome(self, arrival: Arrival, error: Exception | None) -> Outcome:
        """Return what the result of a push means for the message."""
        if error is None:
            outcome = ACCEPTED
        else:
            reason = mask_text(str(error))
            self._log.warning("email not accepted", uuid=arrival.uuid, id=arrival.id, reason=reason)
            outcome = FAILED._replace(replies=(_reply(error, self._config.pipeline),), reason=reason)
        # After `close` the client has had its 421 already.
        return Outcome((replies.STOPPING,), reason=outcome.reason) if self._closed else outcome


class _Push(Pending[Outcome]):
    """A message on its way into the queue, and its outcome."""

    __slots__ = ("_arrival", "_delivery")

    def __init__(self, delivery: JobDelivery, arrival: Arrival) -> None:
        super().__init__()
        self._delivery = delivery
        self._arrival = arrival

    def done(self, error: Exception | None) -> None:
        """Take the result of the push."""
        self.settle(self._delivery.outcome(self._arrival, error))


def _reply(error: Exception, pipeline: str) -> Reply:
    """Return 452 where room is lacking, else 451, with the setting that decides."""
    lacking = getattr(error, "wants_room", False)
    reply = replies.OUT_OF_STORAGE if lacking else replies.TEMPORARY_FAILURE
    return reply.decided_by(f"smtp.jobs.pipeline: {pipeline}")


def _headers_of(arrival: Arrival) -> Mapping[str, Sequence[str]]:
    """Return the envelope as the headers of a job. The password of AUTH is not among them."""
    headers = {
        "from": [arrival.sender],
        "to": arrival.to,
        "helo": [arrival.helo],
        "remote_addr": [arrival.remote_addr],
        "uuid": [arrival.uuid],
        "received_at": [arrival.received_at],
    }
    return headers if arrival.authentication is None else headers | {"username": [arrival.authentication[1]]}


def request_of(job: StoredJob) -> bytes:
    """Return what the worker gets that has the job: the event of its message, or its payload where it has no envelope.

    Raises ValueError for another job's envelope.
    """
    if not job.envelope:
        return job.payload
    stored = _decode(job.envelope)
    return build_event(stored.arrival, parse(job.payload), all_headers=stored.all_headers)
