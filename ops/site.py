"""The HTTP server of `status` and `metrics`: one address, and an endpoint for each path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anyio.abc import TaskStatus

from ..container.net.address import ListenAddress, TCPAddress
from ..container.net.http import HTTPServer
from ..container.protocols import Logger


class Site:
    """An HTTP server with a few pages, for GET and HEAD. `owner`: the plugin's name, for errors."""

    def __init__(self, address: ListenAddress, log: Logger, *, owner: str) -> None:
        from starlette.routing import Router  # here, because only a host with such a plugin needs it

        self._address = address
        self._router = Router(redirect_slashes=False)
        self._server = HTTPServer(self._router, address, log, owner=owner)

    def add(self, path: str, endpoint: Callable[..., Any]) -> None:
        """Serve a path.

        `endpoint`: a coroutine function from Starlette's Request to its Response, or an ASGI application that is an
        object.
        """
        from starlette.routing import Route

        self._router.routes.append(Route(path, endpoint, methods=["GET"]))

    def remove(self, path: str) -> None:
        """Stop serving a path."""
        self._router.routes[:] = [route for route in self._router.routes if getattr(route, "path", "") != path]

    def is_on(self, address: ListenAddress) -> bool:
        """Return whether this is the server's address; port 0 is another port each time."""
        return address == self._address and not (isinstance(address, TCPAddress) and address.port == 0)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until `stop`. Raises ListenError."""
        await self._server.serve(task_status=task_status)

    async def stop(self) -> None:
        """Let `serve` return."""
        await self._server.stop()
