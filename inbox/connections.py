"""The live connections of the mail servers beside the inbox: what their own RPC methods tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from .protocols import MailServer, RPCProvider


class Connection(msgspec.Struct, frozen=True):
    """A connection that is open. `from`, `to`: of the message under way, empty without one."""

    uuid: str
    remote_addr: str
    sender: str = msgspec.field(name="from")
    to: Sequence[str]
    authenticated: bool
    username: str


class Connections:
    """The servers, as they are found among the host's plugins."""

    def __init__(self) -> None:
        self._methods: list[Any] = []
        self._servers: list[MailServer] = []

    def add_methods(self, plugin: RPCProvider) -> None:
        """Take a plugin's methods if they are those of a server with connections."""
        methods = plugin.rpc()
        if all(callable(getattr(methods, name, None)) for name in ("list_connections", "close_connection")):
            self._methods.append(methods)

    def add_server(self, server: MailServer) -> None:
        """Take a mail server, for its address."""
        self._servers.append(server)

    def __bool__(self) -> bool:
        """Whether any plugin has connections to tell of."""
        return bool(self._methods)

    @property
    def smtp_address(self) -> str:
        """Where mail is to be sent, as a URL; empty while no server listens."""
        return next((server.smtp_address for server in self._servers if server.smtp_address), "")

    def list(self) -> Sequence[Connection]:
        """Return what is open now, oldest first."""
        return [
            msgspec.convert(each, Connection, from_attributes=True)
            for methods in self._methods
            for each in methods.list_connections(True)
        ]

    def close(self, uuid: str) -> bool:
        """Close a connection at once; say whether there was one."""
        for methods in self._methods:
            try:
                methods.close_connection(uuid)
            except ValueError:  # its way to say that there is none
                continue
            return True
        return False
