"""Requests to the server, each repeated with the same bytes until it has an answer or its deadline passes.

One inbox has all answers, and one task for each connection sends. At most `IN_FLIGHT` requests wait for an answer at a
time; acknowledgements, which make room, do not count. One timer sweeps all of them. A new connection sends again
whatever had no answer. A request whose deadline has passed is forgotten, so no connection sends it later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...errors import Away, Full, JobsError, Rejected

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from .client import DriverClient

IN_FLIGHT: Final = 100
_REPEAT: Final = 5.0
"""Seconds without an answer, after which a request is sent again."""
_PAUSE: Final = 0.25
"""Seconds before a request is sent again that found no leader; also the time between two sweeps."""
_RESOURCES: Final = frozenset((10002, 10023, 10028, 10047))
"""The account, the server's memory or its disk has no room. Codes of `server/errors.json` of nats-server."""
_STORE_FAILED: Final = 10077
"""The store refuses. Its text says which limit; the text of another failure is an error of the server's disk."""
_MISSING: Final = frozenset((10014, 10037, 10059))
"""The consumer, message or stream is absent. That is an answer, which says `missing`."""
_NEVER: Final = frozenset((10049, 10052, 10074, 10076, 10039))
"""Failures of the server's kind (code 500 and above) that a repetition does not mend: settings, no JetStream."""

Answer = dict[str, Any] | JobsError
Done = Callable[[Answer], None]


class Request:
    """One request. `deadline` and `sent` are times of the event loop; `sent` is 0 before the first time."""

    __slots__ = ("body", "deadline", "done", "headers", "sent", "subject")

    def __init__(self, subject: str, body: bytes | memoryview, headers: bytes, deadline: float, done: Done) -> None:
        self.subject = subject
        self.body = body
        self.headers = headers
        self.deadline = deadline
        self.done = done
        self.sent = 0.0


class Requests:
    """All requests of one driver, over all its connections."""

    def __init__(self) -> None:
        self._waiting: deque[Request] = deque()
        self._flying: dict[str, Request] = {}
        self._to_send: deque[str] = deque()
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._number = 0
        self._windowed = 0
        self._connected = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting) + len(self._flying)

    def add(
        self,
        subject: str,
        body: bytes | memoryview,
        headers: bytes,
        timeout: float,
        done: Done,
        *,
        first: bool = False,
    ) -> None:
        """Send a request. Calls `done` once, with the server's JSON, or with Full, Rejected or Away.

        `first`: it goes before the others, and beside the limit of requests in flight.
        """
        if self._closed:
            done(Away("the connection to NATS is closed"))
            return
        loop = asyncio.get_running_loop()
        request = Request(subject, body, headers, loop.time() + timeout, done)
        if first:
            self._number += 1
            self._flying[token := f"f{self._number}"] = request
            self._to_send.append(token)
        else:
            self._waiting.append(request)
        self._wake.set()
        if self._timer is None:
            self._timer = loop.call_later(_PAUSE, self._sweep)

    async def ask(
        self, subject: str, body: bytes | memoryview = b"", headers: bytes = b"", *, timeout: float
    ) -> dict[str, Any]:
        """Return the server's answer. Raises Full, Rejected and Away."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.add(subject, body, headers, timeout, lambda answer: None if future.done() else future.set_result(answer))
        answer = await future
        if isinstance(answer, JobsError):
            raise answer
        return answer

    async def send(self, client: DriverClient, inbox: str) -> None:
        """Send requests over this connection until the task is cancelled or the connection refuses."""
        loop = asyncio.get_running_loop()
        self._to_send = deque(self._flying)
        self._connected = True
        try:
            while True:
                while (token := self._next()) is not None:
                    if request := self._flying.get(token):
                        if len(request.body) + len(request.headers) > client.max_payload:
                            # The server would end the connection, and every connection after it.
                            self._settle(token, Rejected(f"the server takes {client.max_payload} bytes of a message"))
                            continue
                        request.sent = loop.time()
                        await client.send(request.subject, f"{inbox}.{token}", request.headers, request.body)
                self._wake.clear()
                await self._wake.wait()
        finally:
            self._connected = False

    def answered(self, message: Msg) -> None:
        """Settle the request of an answer, or plan to send it again."""
        token = message.subject.rpartition(".")[2]
        request = self._flying.get(token)
        if request is None:
            return
        verdict = read_answer(message.headers, message.data)
        if verdict is None:
            request.sent += _PAUSE - _REPEAT
            return
        self._settle(token, verdict)

    def refuse(self, reason: str) -> None:
        """Fail the requests whose subject a permission error of the server names."""
        for token, request in list(self._flying.items()):
            if f'"{request.subject.lower()}"' in reason.lower():  # nats-py gives the text in small letters
                self._settle(token, Rejected(reason))

    def close(self) -> None:
        """Fail whatever has no answer, and all that is added later. Idempotent."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        left = [*self._flying.values(), *self._waiting]
        self._flying.clear()
        self._waiting.clear()
        for request in left:
            request.done(Away("the connection to NATS is closed"))

    def _next(self) -> str | None:
        if self._to_send:
            return self._to_send.popleft()
        if self._waiting and self._windowed < IN_FLIGHT:
            self._number += 1
            self._windowed += 1
            self._flying[token := str(self._number)] = self._waiting.popleft()
            return token
        return None

    def _settle(self, token: str, verdict: Answer) -> None:
        request = self._flying.pop(token)
        if token[0] != "f":
            self._windowed -= 1
            if self._waiting:
                self._wake.set()
        request.done(verdict)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for token, request in list(self._flying.items()):
            if request.deadline <= now:
                self._settle(token, Away("NATS did not answer in time"))
            elif self._connected and request.sent and request.sent + _REPEAT <= now:
                request.sent = now
                self._to_send.append(token)
                self._wake.set()
        for request in [each for each in self._waiting if each.deadline <= now]:
            self._waiting.remove(request)
            request.done(Away("NATS was away, or did not answer in time"))
        self._timer = loop.call_later(_PAUSE, self._sweep) if len(self) and not self._closed else None


def read_answer(headers: dict[str, str] | None, data: bytes) -> Answer | None:
    """Return the answer's JSON, an error, or None where the request is to be sent again."""
    if headers and headers.get("Status") == "503":
        return None  # no server has the stream now: it has no leader
    if not data or data.startswith(b"+"):
        return {}
    try:
        answer = msgspec.json.decode(data)
    except ValueError:
        return Rejected("the answer of NATS is not JSON")
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return answer if isinstance(answer, dict) else {}
    kind, code = error.get("code", 0), error.get("err_code", 0)
    if code in _MISSING:
        return {"missing": True}
    text = f"NATS says: {error.get('description')} ({code})"
    if code in _RESOURCES or (code == _STORE_FAILED and ("maximum" in text or "no space" in text)):
        return Full(text)
    passing = kind >= 500 or kind in (409, 429)  # no leader, a repeated message that is being stored, too many of them
    return None if passing and code not in _NEVER else Rejected(text)
