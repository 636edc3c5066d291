"""The HTTP server of `status` and `metrics`: one address, and an endpoint for each path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anyio.abc import TaskStatus

from ..container.net.http import HTTPServer
from ..container.net.listening import Addresses
from ..container.protocols import Logger


class Site:
    """An HTTP server with a few pages, for GET and HEAD. `addresses`: where it listens."""

    def __init__(self, addresses: Addresses, log: Logger) -> None:
        from starlette.routing import Router  # here, because only a host with such a plugin needs it

        self.addresses = addresses
        self._router = Router(redirect_slashes=False)
        self._server = HTTPServer(self._router, addresses, log)

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

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until `stop`. Raises ListenError."""
        await self._server.serve(task_status=task_status)

    async def stop(self) -> None:
        """Let `serve` return."""
        await self._server.stop()
