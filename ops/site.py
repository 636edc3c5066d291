"""What one address of `status` and `metrics` serves: paths, each with its endpoint, on one small ASGI application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anyio.abc import TaskStatus

from ..container.net.address import ListenAddress, TCPAddress
from ..container.net.http import HTTPServer
from ..container.protocols import Logger


class Site:
    """An HTTP server with a few pages, which answer GET and HEAD. `owner`: the plugin's name, for errors."""

    def __init__(self, address: ListenAddress, log: Logger, *, owner: str) -> None:
        from starlette.routing import Router  # here, because only a host with such a plugin needs it

        self._asked = address
        self._router = Router(redirect_slashes=False)
        self._server = HTTPServer(self._router, address, log, owner=owner)

    def add(self, path: str, endpoint: Callable[..., Any]) -> None:
        """Serve a path.

        `endpoint`: a coroutine function that takes Starlette's Request and returns its Response, or an object that is
        an ASGI application.
        """
        from starlette.routing import Route

        self._router.routes.append(Route(path, endpoint, methods=["GET"]))

    def remove(self, path: str) -> None:
        """Serve a path no more."""
        self._router.routes[:] = [route for route in self._router.routes if getattr(route, "path", "") != path]

    def is_on(self, address: ListenAddress) -> bool:
        """Say whether this is the address; port 0 is another one each time."""
        return address == self._asked and not (isinstance(address, TCPAddress) and address.port == 0)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until `stop`. Raises ListenError."""
        await self._server.serve(task_status=task_status)

    async def stop(self) -> None:
        """Let `serve` return."""
        await self._server.stop()
