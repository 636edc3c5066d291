"""The inbox plugin: it keeps the mail that arrives, and serves the page and the API.

It uses the doors that every plugin has. Mail servers hand over their messages before they answer their clients, and
offer their open connections. The modules that serve HTTP are imported in `serve`: a host without the section does not
pay for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskStatus

from ..container.net.address import SystemdAddress
from ..container.net.listening import Addresses, listen_addresses
from ..container.net.resolving import is_loopback
from ..container.protocols import Collect, Configurer, Logger
from .config import InboxConfig
from .mail_servers import MailServers, publish_changes
from .protocols import IncomingMail, IncomingRefusal, MailServer
from .relay.own import check_relay

if TYPE_CHECKING:
    from ..container.net.http import HTTPServer
    from .mailbox import Mailbox


class InboxPlugin:
    """The plugin object: `inbox` in rr.yaml and in the log."""

    name = "inbox"
    config_model = InboxConfig

    def __init__(self) -> None:
        self._servers = MailServers()
        self._mailbox: Mailbox | None = None
        self._http: HTTPServer | None = None  # a Protocol's check may read `page_url` before `init`

    def init(self, config: Configurer, log: Logger) -> None:
        """Read the section. Raises PluginDisabled without one, ConfigError for a bad one."""
        self._config = config.section(self.name, InboxConfig)
        self._addresses = listen_addresses(self._config.address, "inbox.address")
        self._log = log

    def collects(self) -> Sequence[Collect[Any]]:
        """Ask for the mail servers."""
        return (Collect(MailServer, self._servers.add),)

    def listens(self) -> Sequence[Addresses]:
        """Return the addresses of the page."""
        return [self._addresses]

    async def mail_received(self, mail: IncomingMail) -> None:
        """Keep a mail. Returns once it is safe; raises StoreError."""
        if self._mailbox is None:
            raise RuntimeError("the inbox does not serve")
        await self._mailbox.add(mail)

    def mail_refused(self, refusal: IncomingRefusal) -> None:
        """Keep a refusal."""
        if self._mailbox is not None:
            self._mailbox.refuse(refusal)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Open the store, then the socket; serve until `stop`. Raises StoreError and ListenError."""
        from ..container.net.http import HTTPServer
        from .mailbox import Mailbox
        from .web.application import application

        config = self._config
        for address in self._addresses.all:
            if not isinstance(address, SystemdAddress) and not is_loopback(address):
                self._log.warning("other machines can read and delete the inbox's mail", address=str(address))
        await check_relay(config.relay, self._servers.addresses(), self._log)
        self._mailbox = mailbox = await Mailbox.open(
            config.path, max_messages=config.max_messages, max_bytes=config.max_bytes
        )
        try:
            app = application(mailbox, self._servers, config, self._log)
            self._http = HTTPServer(app, self._addresses, self._log)
            async with anyio.create_task_group() as group:
                group.start_soon(publish_changes, self._servers, mailbox.feed)
                await self._http.serve(task_status=task_status)
                group.cancel_scope.cancel()
        finally:
            self._mailbox = None
            with anyio.CancelScope(shield=True):
                await mailbox.aclose()

    @property
    def page_url(self) -> str:
        """The address of the page, with the real port in place of port 0. Empty while the plugin does not serve."""
        address = self._http.address if self._http is not None else None
        return str(address).replace("tcp://", "http://") if address is not None else ""

    async def stop(self) -> None:
        """End the streams and the waiting requests, then let `serve` return."""
        if self._mailbox is not None:
            self._mailbox.stop()
        if self._http is not None:
            await self._http.stop()
