"""The plugin's methods on the RPC bus, served under its name: `smtp.ListConnections` and the others."""

from __future__ import annotations

from .backend import Backend
from .delivery.history import WaitRequest, WaitResult
from .session import ConnectionInfo


class SMTPRPC:
    """The methods, for an operator or a worker."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def list_connections(self, _: bool) -> list[ConnectionInfo]:
        """Return every open connection, oldest first; `[]` when there is none. The argument is ignored."""
        return self._backend.connections()

    def close_connection(self, uuid: str) -> bool:
        """Close the connection with this uuid and return true; the error is `connection not found`."""
        if not self._backend.close_connection(uuid):
            raise ValueError("connection not found")
        return True

    async def wait(self, request: WaitRequest | bool) -> WaitResult:
        """Return the messages after `cursor` as soon as there is one, and none after `timeout` seconds.

        `true`, the argument of a call without one, asks for the next message.
        """
        return await self._backend.history.wait(WaitRequest() if isinstance(request, bool) else request)
