"""Pulls jobs with credit from the one consumer that all hosts share, and extends those that this host holds.

A request asks for a batch, and stays at the server until the batch is full or `_EXPIRES` seconds are over. What arrives
for it after the pull has returned waits here for the next pull. Where none comes for a second, it goes back.
JetStream has no priorities: the order of a stream is the order of pushes.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from ...errors import Away, Rejected
from ...job import MAX_DELAY, Job
from .config import NatsPipeline
from .delivery import FREE_DELIVERIES, PUT_OFF, Delivery, Settlements
from .message import Message, from_message

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

_SECOND: Final = 1_000_000_000
_EXPIRES: Final = 30.0
_HEARTBEAT: Final = 2.0
_SILENCE: Final = 2.5 * _HEARTBEAT
"""Seconds without a word of the server, after which it has forgotten the request: a leader that died, for example."""
_KEEP: Final = 1.0
"""Seconds that a job waits here without a pull."""
_PAUSE: Final = 0.25
_OVERDUE: Final = 1000
"""Jobs that were put off and are due, of which the puller keeps the sequence: another host may have got them."""
_TICK: Final = 0.5


class Puller:
    """The pulling of one pipeline, over all its connections."""

    def __init__(
        self,
        pipeline: NatsPipeline,
        settlements: Settlements,
        attempts: int,
        fetch: Callable[[str, int], Awaitable[bytes]],
        renew: Callable[[str], None],
    ) -> None:
        self.held: dict[str, Delivery] = {}
        self.redelivered = 0
        self.heard = asyncio.Event()
        """Set at each arrival."""
        self._pipeline = pipeline
        self._settlements = settlements
        self._attempts = attempts
        self._fetch = fetch
        self._renew = renew
        self._client: Client | None = None
        self._inbox = ""
        self._number = self._asked = 0
        self._ready: deque[Delivery] = deque()
        self._put_off: dict[int, float] = {}  # sequence of a job that is not due: the loop's time at which it is
        self._dues: list[float] = []
        self._wake = asyncio.Event()
        self._pulling = False
        self._last_pull = self._last_word = 0.0
        self._again = 0.0

    async def start(self, client: Client) -> None:
        """Receive over this connection from now on."""
        self._inbox = client.new_inbox()
        self._asked = 0
        await client.subscribe(f"{self._inbox}.*", cb=self._arrived, pending_msgs_limit=0, pending_bytes_limit=0)
        self._client = client
        self._wake.set()

    async def pull(self, jobs: int, size: int) -> list[Delivery]:
        """Wait for jobs; see `jobs/protocols.py`."""
        self._pulling = True
        try:
            while True:
                await self._fill_first()
                if taken := self._take(jobs, size):
                    return taken
                self._wake.clear()
                await self._ask(jobs)
                await self._wake.wait()
        except asyncio.CancelledError:
            self.give_back_ready()
            raise
        finally:
            self._pulling = False
            self._last_pull = asyncio.get_running_loop().time()

    def give_back_ready(self) -> None:
        """Return the jobs that no pull has taken."""
        self._last_pull = float("-inf")
        while self._ready:
            self._settlements.give_back(self._ready.popleft())

    def delayed(self) -> int:
        """Return how many jobs this host has put off that are not due yet."""
        now = asyncio.get_running_loop().time()
        while self._dues and self._dues[0] <= now:
            heapq.heappop(self._dues)
        if len(self._put_off) > 2 * len(self._dues) + _OVERDUE:  # other hosts got them
            self._put_off = {number: due for number, due in self._put_off.items() if due > now}
        return len(self._dues)

    async def extend(self) -> None:
        """Extend each held job, each third of `ack_wait`, and look after the requests. Never returns."""
        loop = asyncio.get_running_loop()
        every = float(self._pipeline.ack_wait) / 3
        following = loop.time() + every
        while True:
            await asyncio.sleep(min(_TICK, every))
            now = loop.time()
            if now >= following:
                following = now + every
                for reply in list(self.held):
                    await self._tell(reply, b"+WPI")
            if not self._pulling and self._ready and now > self._last_pull + _KEEP:
                self.give_back_ready()
            if self._asked and now > self._last_word + _SILENCE:
                self._asked = 0
                self._wake.set()

    async def _ask(self, jobs: int) -> None:
        """Ask for what the requests that are at the server do not bring."""
        client, wanted = self._client, jobs - self._asked - len(self._ready)
        if client is None or wanted <= 0 or not client.is_connected:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._again:
            loop.call_at(self._again, self._wake.set)
            return
        self._number += 1
        self._asked += wanted
        self._last_word = loop.time()
        ask = {
            "batch": wanted,
            "expires": int(_EXPIRES * _SECOND),
            "idle_heartbeat": int(_HEARTBEAT * _SECOND),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._pipeline.stream}.{self._pipeline.stream}"
        await self._tell(subject, msgspec.json.encode(ask), f"{self._inbox}.{self._number}")

    async def _tell(self, subject: str, body: bytes, reply: str = "") -> None:
        client = self._client
        if client is not None and client.is_connected:
            try:
                await client.publish(subject, body, reply=reply)
            except Exception:  # nats-py raises what the socket raises; the next connection begins anew
                return

    async def _arrived(self, message: Msg) -> None:
        """Take a job or a status of the server."""
        loop = asyncio.get_running_loop()
        self._last_word = loop.time()
        headers = message.headers or {}
        if not message.reply:
            self._status(headers)
            return
        self._asked = max(0, self._asked - 1)
        self.heard.set()
        try:
            delivery = Delivery(self._settlements, message.reply, from_message(headers, message.data))
        except ValueError as error:
            self._bury_foreign(message, str(error))
            self._wake.set()
            return
        delay = self._delay(delivery, loop.time())
        if delay > 0:
            self._settlements.give_back(delivery, delay)
        elif delivery.deliveries > FREE_DELIVERIES + self._attempts:
            self.held[message.reply] = delivery
            delivery.dead(f"{delivery.deliveries - 1} hosts had it, and ended or lost the servers before its end")
        elif not self._pulling and loop.time() > self._last_pull + _KEEP:
            self._settlements.give_back(delivery)
            return
        else:
            self.held[message.reply] = delivery
            self._ready.append(delivery)
        self._wake.set()

    def _delay(self, delivery: Delivery, now: float) -> float:
        """Return the seconds until a job is due. They pass by the loop's time: the clock may be set meanwhile."""
        if not delivery.job.due:
            return 0
        known = self._put_off.pop(delivery.sequence, None)
        delay = min(delivery.job.due - time.time(), MAX_DELAY) if known is None else known - now
        if delay > 0:
            self._put_off[delivery.sequence] = now + delay
            if known is None:
                heapq.heappush(self._dues, now + delay)
        return delay

    def _status(self, headers: Mapping[str, str]) -> None:
        """Take the end of a request: what it did not bring is asked for again."""
        status, text = headers.get("Status"), headers.get("Description", "")
        if status == "100":
            return
        self._asked = max(0, self._asked - int(headers.get("Nats-Pending-Messages", self._asked)))
        if "Consumer Deleted" in text:
            self._renew(f"the consumer {self._pipeline.stream} was deleted")
        elif status not in ("404", "408"):
            self._again = asyncio.get_running_loop().time() + _PAUSE
        self._wake.set()

    def _bury_foreign(self, message: Msg, reason: str) -> None:
        """Move a message that is not a job to the dead letters, whole."""
        unnamed = Delivery(self._settlements, message.reply, Message(Job("", "", "")))
        job = Job(f"not-a-job-{unnamed.sequence}", "", self._pipeline.stream, message.data)
        unnamed.message = Message(job, length=len(message.data))
        self.held[message.reply] = unnamed
        unnamed.dead(reason)

    def _take(self, jobs: int, size: int) -> list[Delivery]:
        taken: list[Delivery] = []
        while self._ready and len(taken) < jobs:
            following = self._ready[0]
            if taken and (following.message.object or following.message.size > size):
                break
            size -= following.message.size
            taken.append(self._ready.popleft())
            self.redelivered += following.redelivered
        return taken

    async def _fill_first(self) -> None:
        """Bring the body of the next job where it is an object. One that has none any more is a dead letter."""
        while self._ready and self._ready[0].message.object:
            first = self._ready[0]
            try:
                first.message = first.message.whole(await self._fetch(first.message.object, first.message.length))
            except Rejected as error:
                self._ready.popleft().dead(str(error))
            except Away:
                self._settlements.give_back(self._ready.popleft(), PUT_OFF)
            else:
                return
