"""The inbox plugin: it keeps the mail that arrives, and serves the page and the API.

It uses the doors that every plugin has. Mail servers hand over their messages before they answer their clients, and
offer their open connections. The modules that serve HTTP are imported in `serve`: a host without the section does not
pay for them.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import anyio
import msgspec
from anyio.abc import TaskStatus

from ..container.errors import ConfigError, HostError
from ..container.net.address import Address, SystemdAddress
from ..container.net.listening import Addresses, listen_addresses
from ..container.net.resolving import is_loopback
from ..container.net.sockets import passed_address
from ..container.net.tls import server_context
from ..container.protocols import Collect, Configurer, Logger
from ..mime.mailboxes import MailboxBy
from .config import InboxConfig
from .mail_servers import MailServers, publish_changes
from .protocols import IncomingMail, IncomingRefusal, MailServer
from .records import Summary
from .relay.own import check_relay
from .rpc import InboxRPC

if TYPE_CHECKING:
    from ..container.net.http import HTTPServer
    from .mailbox import Mailbox


MAX_CONNECTIONS: Final = 4096
"""Clients of the page and the API at the same time: thousands may wait for mail."""


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
        self._by = MailboxBy.parse(self._config.mailbox_by)
        self._addresses = listen_addresses(self._config.address, "inbox.address")
        self._log = log
        self._tls = self._certificate()
        for address in self._addresses.all:
            if not isinstance(address, SystemdAddress):
                self._is_open(address)

    def collects(self) -> Sequence[Collect[Any]]:
        """Ask for the mail servers."""
        return (Collect(MailServer, self._servers.add),)

    def listens(self) -> Sequence[Addresses]:
        """Return the addresses of the page."""
        return [self._addresses]

    def rpc(self) -> InboxRPC:
        """Return the methods on the RPC bus."""
        return InboxRPC(self)

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox. Raises HostError while the plugin does not serve."""
        if self._mailbox is None:
            raise HostError("the inbox does not serve")
        return self._mailbox

    async def mail_received(self, mail: IncomingMail) -> None:
        """Keep a mail. Returns once it is safe; raises StoreError."""
        if self._mailbox is None:
            raise RuntimeError("the inbox does not serve")
        await self._mailbox.add(mail)

    def mailboxes_of(self, username: str, recipients: Iterable[str], header: Callable[[str], str]) -> Sequence[str]:
        """Return the mailboxes of a mail, as `MailboxBy.names` does. For plugins of this host."""
        return self._by.names(username, recipients, header)

    @property
    def mailbox_by(self) -> MailboxBy:
        """What names the mailboxes of a mail. For plugins of this host."""
        return self._by

    def mail_refused(self, refusal: IncomingRefusal) -> None:
        """Keep a refusal."""
        if self._mailbox is not None:
            self._mailbox.refuse(refusal)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Open the store, then the socket; serve until `stop`. Raises StoreError, ListenError and ConfigError."""
        from ..container.net.http import HTTPServer
        from .expiry import expire
        from .mailbox import Mailbox
        from .web.application import application

        config = self._config
        is_open = False
        for address in self._addresses.all:
            real = passed_address(address, owner="inbox.address") if isinstance(address, SystemdAddress) else address
            if self._is_open(real):
                is_open = True
                self._log.warning("other machines can read and delete the inbox's mail", address=str(real))
        await check_relay(config.relay, self._servers.addresses(), self._log)
        self._mailbox = mailbox = await Mailbox.open(
            config.path,
            max_messages=config.max_messages,
            max_bytes=config.max_bytes,
            max_mailboxes=config.max_mailboxes,
            by=self._by,
        )
        try:
            app = application(mailbox, self._servers, config, self._log, is_open=is_open)
            self._http = HTTPServer(app, self._addresses, self._log, tls=self._tls, connections=MAX_CONNECTIONS)
            async with anyio.create_task_group() as group:
                group.start_soon(publish_changes, self._servers, mailbox.feed)
                group.start_soon(expire, mailbox, config.max_age, self._log)
                await self._http.serve(task_status=task_status)
                group.cancel_scope.cancel()
        finally:
            self._mailbox = None
            with anyio.CancelScope(shield=True):
                await mailbox.aclose()

    def _certificate(self) -> ssl.SSLContext | None:
        tls = self._config.tls
        if tls is None:
            return None
        context = server_context(tls.cert, tls.key, "inbox.tls")
        context.set_alpn_protocols(["http/1.1"])
        return context

    def host_reloading(self) -> None:
        """Load the certificate and the key anew, for later handshakes. Raises ConfigError; the old ones stay then."""
        if self._config.tls is not None and self._http is not None:
            self._tls = context = self._certificate()
            assert context is not None
            self._http.use_certificate(context)
            self._log.info("certificate is loaded anew", cert=self._config.tls.cert)

    def _is_open(self, address: Address) -> bool:
        """Return whether other machines reach this address without a login. Raises ConfigError where it must not be."""
        if self._config.asks_for_login or is_loopback(address):
            return False
        if self._config.open:
            return True
        raise ConfigError(
            f"is {self._addresses}",
            key="inbox.address",
            hint=f"{address} is not a loopback address, and every machine that reaches it can read and delete the mail "
            "without a password; set inbox.users, or inbox.open: true if only people you trust can reach it",
        )

    @property
    def page_url(self) -> str:
        """The address of the page, with the real port in place of port 0. Empty while the plugin does not serve."""
        address = self._http.address if self._http is not None else None
        scheme = "http" if self._config.tls is None else "https"
        return str(address).replace("tcp://", f"{scheme}://") if address is not None else ""

    async def newest(self, count: int) -> tuple[int, Sequence[Summary]]:
        """Return the number of messages, and the newest ones, the newest first. For plugins of this host.

        Raises HostError: the database fails, or the plugin does not serve.
        """
        found = await self.mailbox.list_messages(limit=count, before=None)
        return found.total, [msgspec.json.decode(each, type=Summary) for each in found.messages]

    async def stop(self) -> None:
        """End the streams and the waiting requests, then let `serve` return."""
        if self._mailbox is not None:
            self._mailbox.stop()
        if self._http is not None:
            await self._http.stop()
