"""Deliveries, and what ends them. Each end is a request, so the host knows that the server has it.

A retry and a dead letter are a publish, then the acknowledgement: a host that dies in between leaves two copies, and
no gap. The id of a copy has the sequence of its original in the stream. A sequence is never used again, so the server
drops the repetition of a copy, and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec

from ...errors import JobsError
from ...protocols import Headers, Job
from .config import NatsPipeline
from .message import LARGEST_HEADERS, Message, body_of, to_headers, to_token
from .requests import Answer, Requests

FREE_DELIVERIES: Final = 3
"""Deliveries of one message that count as one attempt.

The server counts each job that a host gives back, too. After so many of them a job is given back as a new message with
its attempt, so that a delivery above them is the work of a host that died.
"""
PUT_OFF: Final = 5.0
"""Seconds until a job comes again whose retry or burial the server refuses, or whose body is out of reach."""


class Delivery:
    """A job that this host holds. See `jobs/protocols.py`."""

    __slots__ = ("_settlements", "deliveries", "message", "reply", "sequence")

    def __init__(self, settlements: Settlements, reply: str, message: Message) -> None:
        self._settlements = settlements
        self.reply = reply
        self.message = message
        fields = reply.split(".")  # $JS.ACK.[domain.account.]stream.consumer.delivered.sequence...
        at = 4 if len(fields) < 11 else 6
        self.deliveries, self.sequence = int(fields[at]), int(fields[at + 1])

    @property
    def job(self) -> Job:
        """The job."""
        return self.message.job

    @property
    def attempt(self) -> int:
        """1, and one more for each retry, and for each host that died with the job beyond the free deliveries."""
        return self.message.attempt + max(0, self.deliveries - FREE_DELIVERIES)

    @property
    def redelivered(self) -> bool:
        """Whether a host had it before; the one that puts a job off until it is due does not count."""
        return self.deliveries > (2 if self.message.job.due else 1)

    def ack(self) -> None:
        """Delete the job."""
        self._settlements.ack(self)

    def retry(self, delay: float, headers: Headers | None = None) -> None:
        """Put the job at the end of the stream, with the next attempt."""
        job = msgspec.structs.replace(
            self.job,
            due=time.time() + delay if delay > 0 else 0,
            headers=self.job.headers if headers is None else headers,
        )
        self._settlements.requeue(self, job, self.attempt + 1)

    def give_back(self) -> None:
        """Return the job to the stream."""
        self._settlements.give_back(self)

    def dead(self, reason: str) -> None:
        """Move the job to the dead letters."""
        self._settlements.bury(self, reason)


class Settlements:
    """Ends deliveries. `released` hears of each that this host does not hold any more; `emptied` of an object's end."""

    def __init__(
        self,
        requests: Requests,
        pipeline: NatsPipeline,
        timeout: float,
        released: Callable[[str], None],
        emptied: Callable[[str], None],
    ) -> None:
        self._requests = requests
        self._pipeline = pipeline
        self._timeout = timeout
        self._released = released
        self._emptied = emptied
        self._begun = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def ack(self, delivery: Delivery) -> None:
        """Delete the job."""
        self._end(delivery.reply, b"+ACK")
        if delivery.message.object:
            self._emptied(delivery.message.object)

    def give_back(self, delivery: Delivery, delay: float = 0) -> None:
        """Let the server give the job again, after `delay` seconds."""
        if delivery.deliveries >= FREE_DELIVERIES and delay <= 0:
            self.requeue(delivery, delivery.job, delivery.attempt)
        else:
            self._nak(delivery.reply, delay)

    def requeue(self, delivery: Delivery, job: Job, attempt: int) -> None:
        """Put a copy at the end of the stream."""
        message = msgspec.structs.replace(delivery.message, job=job, attempt=attempt)
        headers = to_headers(message, f"{job.id}#{delivery.sequence}")
        if len(headers) > LARGEST_HEADERS:
            self.bury(delivery, f"the headers of its retry have {len(headers)} bytes, of {LARGEST_HEADERS}")
        else:
            self._move(delivery, self._pipeline.subject, message, headers)

    def bury(self, delivery: Delivery, reason: str) -> None:
        """Put a copy among the dead letters."""
        message = msgspec.structs.replace(delivery.message, reason=reason[:1000], attempt=delivery.attempt)
        subject = self._pipeline.dead_subject(to_token(delivery.job.id))
        headers = to_headers(message, f"dead/{delivery.job.id}#{delivery.sequence}")
        self._move(delivery, subject, message, headers)

    async def flush(self, timeout: float) -> None:
        """Wait until the server has each end, for `timeout` seconds at most."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return

    def _move(self, delivery: Delivery, subject: str, message: Message, headers: bytes) -> None:
        def stored(answer: Answer) -> None:
            if isinstance(answer, JobsError) or "seq" not in answer:
                self._nak(delivery.reply, max(PUT_OFF, message.job.due - time.time()))
            else:
                self._end(delivery.reply, b"+ACK")
            self._settled(answer)

        self._begin()
        self._requests.add(subject, body_of(message), headers, self._timeout, stored)

    def _nak(self, reply: str, delay: float) -> None:
        self._end(reply, b'-NAK {"delay": %d}' % int(delay * 1e9) if delay > 0 else b"-NAK")

    def _end(self, reply: str, word: bytes) -> None:
        self._released(reply)
        self._begin()
        self._requests.add(reply, word, b"", float(self._pipeline.ack_wait), self._settled, first=True)

    def _begin(self) -> None:
        self._begun += 1
        self._idle.clear()

    def _settled(self, answer: Answer) -> None:
        """Count an end. One that the server did not confirm may come again: the server gives it after `ack_wait`."""
        self._begun -= 1
        if not self._begun:
            self._idle.set()
