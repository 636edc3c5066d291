"""An HTTP server for a plugin: any ASGI application, on the host's own loop, with uvicorn.

What we want: no signal handler, no logging and no polling beside the host's own. What does not work: uvicorn's
`serve`, which takes the signals, and its main loop, which wakes ten times a second to see whether it should exit.
What we do: start and shut down with its own methods, and wait for one event in between, with one look at the clock a
second for the Date header. What a client may hold is bounded (http_connection.py).
What can still fail: an application that never ends a response (an event stream), or a client that does not read one,
holds `stop` for PATIENCE seconds; then its connection is cut. An application should end its streams when its plugin
stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.abc import TaskStatus

from ..protocols import Logger
from .address import ListenAddress
from .sockets import BoundSocket

if TYPE_CHECKING:
    import uvicorn

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application (asgi.readthedocs.io, version 3)."""

PATIENCE: Final = 2
"""Seconds that a response under way may still take when the server stops."""


class HTTPServer:
    """Serves an ASGI application on one address, from `serve` until `stop`.

    `owner`: the plugin's name, for errors. The application's lifespan events are not used: a plugin has its own.
    """

    def __init__(self, app: Application, address: ListenAddress, log: Logger, *, owner: str) -> None:
        self.address = address
        self._app = app
        self._log = log
        self._owner = owner
        self._stop = anyio.Event()
        self._turned_away = 0

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Listen, say so (`address` has the real port then), and serve until `stop`. Raises ListenError."""
        import uvicorn  # here, because only a host with such a plugin needs it

        from .http_connection import Connection

        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # what is wrong with a client's request is no warning of ours
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=PATIENCE + 1,  # for an application that does not end when its client is cut
        )
        config.load()
        config.http_protocol_class = partial(Connection, self._turn_away)  # type: ignore[assignment]  # it makes one
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        bound = BoundSocket(self.address, owner=self._owner)
        try:
            self.address = bound.address
            await server.startup(sockets=[bound.socket])
            try:
                self._log.info("HTTP server listens", address=str(bound.address))
                task_status.started()
                while not self._stop.is_set():
                    await server.on_tick(0)  # sets the Date header
                    self._tell_turned_away()
                    with anyio.move_on_after(1):
                        await self._stop.wait()
            finally:
                for accepting in server.servers:  # asyncio's own loop wants to find its socket open
                    accepting.close()
                bound.close()
                with anyio.CancelScope(shield=True):
                    await _shut_down(server)
        finally:
            bound.close()

    async def stop(self) -> None:
        """Accept nobody any more and let `serve` return when the responses under way are sent."""
        self._stop.set()

    def _turn_away(self) -> None:
        self._turned_away += 1

    def _tell_turned_away(self) -> None:
        if self._turned_away:
            self._log.warning("HTTP connections turned away", count=self._turned_away, address=str(self.address))
            self._turned_away = 0


async def _shut_down(server: uvicorn.Server) -> None:
    """Let what is under way end; cut what is left after PATIENCE: uvicorn would cancel it, and log that as a fault."""

    def cut() -> None:
        for connection in list(server.server_state.connections):
            connection.transport.abort()

    timer = asyncio.get_running_loop().call_later(PATIENCE, cut)
    try:
        await server.shutdown()
    finally:
        timer.cancel()
