"""The answers under way: a bound of those whose contents are in memory, whatever their readers do.

What we want: a client that asks for large messages and reads them slowly, or not at all, costs no memory.
What does not work: to hand a whole answer to the server, which keeps what its client does not read.
What we do: an answer is made when it has its turn, and sent in pieces as its client reads them. Then the next one has
its turn. A small answer needs no reader, so it never holds a turn for long.
What can still fail: clients that read large answers slowly keep others waiting; those get 503 after WAIT seconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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


class Answers:
    """The turns. `limit`: answers at the same time."""

    def __init__(self, limit: int) -> None:
        self._turns = anyio.Semaphore(limit)

    def answer(self, request: Request, make: Callable[[], Awaitable[Response]]) -> Response:
        """Return a response that calls `make` when it has its turn."""
        return _Answer(self, request, make)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a turn inside the block. Raises Problem."""
        with anyio.move_on_after(WAIT) as waiting:
            await self._turns.acquire()
        if waiting.cancelled_caught:
            raise Problem(503, "other clients read as many answers as the inbox sends at a time", {"Retry-After": "5"})
        try:
            yield
        finally:
            self._turns.release()


class _Answer(Response):
    def __init__(self, answers: Answers, request: Request, make: Callable[[], Awaitable[Response]]) -> None:
        super().__init__()
        self._answers = answers
        self._request = request
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._answers.turn():
            response = await while_connected(self._request, self._make)
            await response(scope, receive, _in_pieces(send))


def _in_pieces(send: Send) -> Send:
    """Return a `send` that sends a body in pieces. Each waits until the client has read most of the one before."""

    async def sending(message: Message) -> None:
        body = memoryview(message.get("body", b""))
        while len(body) > PIECE:
            await send({"type": "http.response.body", "body": bytes(body[:PIECE]), "more_body": True})
            body = body[PIECE:]
        await send({**message, "body": bytes(body)} if "body" in message else message)

    return sending
