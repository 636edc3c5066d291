"""What the RPC plugin and the other plugins know of each other."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class RPCProvider(Protocol):
    """A plugin that serves methods on the RPC bus, under its name."""

    name: str

    def rpc(self) -> object:
        """Return the object whose public methods are served: `list_connections` becomes `<name>.ListConnections`."""
        ...
