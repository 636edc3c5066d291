"""`/mcp`, for agents: one request of the Model Context Protocol, answered with JSON.

The guard and the login have passed the request before. The tools ask the API of this inbox with the login of the
request, so an agent sees and changes no more than its login may. The SDK is an extra, loaded at the first request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from ...container.net.http import Application
from .disconnect import while_connected
from .problems import Problem

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

PATH: Final = "/mcp"
MISSING: Final = "the tools for agents need one more package; install it with: pip install 'rrpy[mcp]'"


class Agents:
    """Answers requests of agents. `app`: the inbox's whole application; set before the first request."""

    app: Application

    def __init__(self, read: Callable[[Request], Awaitable[bytes]]) -> None:
        self._read = read
        self._server: Server[Any] | None = None

    async def answer(self, request: Request) -> Response:
        """Return the answer to one request. Raises Problem."""
        body = await self._read(request)
        if self._server is None:
            self._server = await self._load()
        return await while_connected(request, partial(self._run, self._server, request, body))

    async def _load(self) -> Server[Any]:
        """Return the server. The import takes half a second of a thread."""
        try:
            return await anyio.to_thread.run_sync(_new_server, self.app)
        except ModuleNotFoundError as error:
            raise Problem(501, MISSING) from error

    async def _run(self, server: Server[Any], request: Request, body: bytes) -> Response:
        from ...agents.server import answer_request

        sent: list[Message] = []
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if unread:
                return unread.pop()
            await anyio.sleep_forever()  # the disconnection of the client cancels all of this
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        await answer_request(server, request.scope, receive, send)
        start = next(message for message in sent if message["type"] == "http.response.start")
        content = b"".join(message.get("body", b"") for message in sent)
        response = Response(content, start["status"])
        response.raw_headers = [each for each in start["headers"] if each[0] != b"content-length"]
        response.headers["Content-Length"] = str(len(content))
        return response


def _new_server(app: Application) -> Server[Any]:
    from ...agents.api import local
    from ...agents.server import new_server

    inbox_of = local(app)
    return new_server(lambda request: inbox_of(request.headers.get("authorization", "") if request else ""))
