"""The inbox plugin: it keeps the mail that comes, and serves the page and the API.

It uses the doors that every plugin has: mail servers hand it their messages before their clients are answered, and
their RPC methods tell of live connections. What serves HTTP is imported when the plugin serves, so that a host without
the section does not pay for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.abc import TaskStatus

from ..container.net.address import TCPAddress
from ..container.net.sockets import is_loopback, listen_address
from ..container.protocols import Collect, Configurer, Logger
from .config import InboxConfig
from .connections import Connections
from .protocols import IncomingMail, MailServer, RPCProvider

if TYPE_CHECKING:
    from ..container.net.http import HTTPServer
    from .mailbox import Mailbox

LOOK: Final = 1.0
"""Seconds between two looks at the connections while somebody follows the page: no door tells of them as they come."""


class InboxPlugin:
    """The plugin object: `inbox` in rr.yaml and in the log."""

    name = "inbox"
    config_model = InboxConfig

    def __init__(self) -> None:
        self._connections = Connections()
        self._mailbox: Mailbox | None = None
        self._http: HTTPServer | None = None

    def init(self, config: Configurer, log: Logger) -> None:
        """Read the section. Raises PluginDisabled without one, ConfigError for a bad one."""
        self._config = config.section(self.name, InboxConfig)
        self._address = listen_address(self._config.address, "inbox.address")
        self._log = log

    def collects(self) -> Sequence[Collect[Any]]:
        """Ask for the servers of mail and their methods."""
        return (
            Collect(RPCProvider, self._connections.add_methods),
            Collect(MailServer, self._connections.add_server),
        )

    async def mail_received(self, mail: IncomingMail) -> None:
        """Keep a mail; when this returns it is kept. Raises StoreError."""
        if self._mailbox is None:
            raise RuntimeError("the inbox does not serve")
        await self._mailbox.add(mail)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Open the store, then the socket; serve until `stop`. Raises StoreError and ListenError."""
        from ..container.net.http import HTTPServer
        from .application import application
        from .mailbox import Mailbox

        config = self._config
        if isinstance(self._address, TCPAddress) and not is_loopback(self._address):
            self._log.warning("whoever reaches the inbox can read and delete its mail", address=str(self._address))
        self._mailbox = mailbox = await Mailbox.open(
            config.path, max_messages=config.max_messages, max_bytes=config.max_bytes
        )
        try:
            app = application(mailbox, self._connections, config, self._log)
            self._http = HTTPServer(app, self._address, self._log, owner=self.name)
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch_connections, mailbox)
                await self._http.serve(task_status=task_status)
                group.cancel_scope.cancel()
        finally:
            self._mailbox = None
            with anyio.CancelScope(shield=True):
                await mailbox.aclose()

    async def stop(self) -> None:
        """End the streams and whoever waits, then let `serve` return."""
        if self._mailbox is not None:
            self._mailbox.feed.close()
        if self._http is not None:
            await self._http.stop()

    async def _watch_connections(self, mailbox: Mailbox) -> None:
        """Tell those who follow when the connections are others, for as long as somebody follows."""
        last: object = None
        while self._connections:
            await mailbox.feed.wait_for_readers()
            now = self._connections.list()
            if now != last:
                last = now
                mailbox.feed.connections(len(now))
            await anyio.sleep(LOOK)
