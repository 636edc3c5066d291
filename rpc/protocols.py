"""The Protocol between the RPC plugin and the plugins that serve methods."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class RPCProvider(Protocol):
    """A plugin that serves methods on the RPC bus, under its name."""

    name: str

    def rpc(self) -> object:
        """Return an object with the public methods to serve: `list_connections` becomes `<name>.ListConnections`."""
        ...
