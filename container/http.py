"""An HTTP server for a plugin: any ASGI application, on the host's own loop, with uvicorn.

What we want: no signal handler, no logging and no polling beside the host's own. What does not work: uvicorn's
`serve`, which takes the signals, and its main loop, which wakes ten times a second to see whether it should exit.
What we do: start and shut down with its own methods, and wait for one event in between, with one look at the clock a
second for the Date header.
What can still fail: an application that never ends a response (an event stream) holds `stop` for PATIENCE seconds;
it should end its streams when its plugin stops.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus

from .address import ListenAddress
from .protocols import Logger
from .sockets import BoundSocket

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

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Listen, say so (`address` has the real port then), and serve until `stop`. Raises ListenError."""
        import uvicorn  # here, because only a host with such a plugin needs it

        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=PATIENCE,
        )
        config.load()
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
                    with anyio.move_on_after(1):
                        await self._stop.wait()
            finally:
                bound.close()
                with anyio.CancelScope(shield=True):
                    await server.shutdown()
        finally:
            bound.close()

    async def stop(self) -> None:
        """Accept nobody any more and let `serve` return when the responses under way are sent."""
        self._stop.set()
