"""The answers under way: a bound of those whose contents are in memory, whatever their readers do.

What we want: a client that asks for large messages and reads them slowly, or not at all, costs no memory.
What does not work: to hand a whole answer to the server, which keeps what its client does not read.
What we do: an answer is made when it has its turn. A small one is handed to the server, so it waits for no reader. A
large one is sent in pieces as its client reads them, and needs a second turn for that. Where there is none, its content
is dropped, and made again when there is one.
What can still fail: clients that read large answers slowly keep other large ones waiting; those become 503 after WAIT
seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from .disconnect import while_connected
from .problems import Problem

WAIT: Final = 15.0
"""Seconds that an answer waits for its turn."""
PIECE: Final = 256 * 1024
"""Bytes that are sent at a time."""
SMALL: Final = 64 * 1024
"""Bytes of an answer that is handed to the server whole."""


class Answers:
    """The turns. `limit`: large answers that are sent at the same time; half as many are made."""

    def __init__(self, limit: int) -> None:
        self.making = anyio.Semaphore(limit // 2)
        self.sending = anyio.Semaphore(limit)

    def answer(self, request: Request, make: Callable[[], Awaitable[Response]]) -> Response:
        """Return a response that calls `make` when it has its turn."""
        return _Answer(self, request, make)


class _Answer(Response):
    def __init__(self, answers: Answers, request: Request, make: Callable[[], Awaitable[Response]]) -> None:
        super().__init__()
        self._answers = answers
        self._request = request
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        made: Response | None
        if len((made := await self._made()).body) <= SMALL:
            await made(scope, receive, send)
            return
        sending = self._answers.sending
        try:
            sending.acquire_nowait()
        except anyio.WouldBlock:
            made = None  # many may wait
            await _take(sending)
        try:
            response, made = made or await self._made(), None
            await response(scope, receive, _in_pieces(send))
        finally:
            sending.release()

    async def _made(self) -> Response:
        await _take(self._answers.making)
        try:
            return await while_connected(self._request, self._make)
        finally:
            self._answers.making.release()


async def _take(turns: anyio.Semaphore) -> None:
    """Wait for a turn. Raises Problem."""
    with anyio.move_on_after(WAIT) as waiting:
        await turns.acquire()
    if waiting.cancelled_caught:
        raise Problem(503, "other clients read as many answers as the inbox sends at a time", {"Retry-After": "5"})


def _in_pieces(send: Send) -> Send:
    """Return a `send` that sends a body in pieces. Each waits until the client has read most of the one before."""

    async def sending(message: Message) -> None:
        body = memoryview(message.get("body", b""))
        while len(body) > PIECE:
            await send({"type": "http.response.body", "body": bytes(body[:PIECE]), "more_body": True})
            body = body[PIECE:]
        await send({**message, "body": bytes(body)} if "body" in message else message)

    return sending
