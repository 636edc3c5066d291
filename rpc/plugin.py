"""The `rpc` plugin: it serves the methods of the other plugins, its own `rpc.*`, and `app.*` (app_logger.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from anyio.abc import TaskStatus

from ..container.errors import ConfigError
from ..container.log import logger
from ..container.net.access import SocketAccess
from ..container.net.address import Address, SystemdAddress, UnixAddress
from ..container.net.listening import Addresses, listen_addresses
from ..container.net.resolving import is_loopback
from ..container.net.sockets import passed_address
from ..container.protocols import Collect, Configurer, Logger
from ..container.version import VERSION
from .app_logger import AppMethods
from .config import RPCConfig
from .protocols import RPCProvider
from .registry import Registry
from .server import Server

APP: Final = "app"
"""The service of RoadRunner's app-logger, and its channel of the log."""


class RPCPlugin:
    """Serves the RPC bus on `rpc.listen`. Without the section it is disabled."""

    name = "rpc"
    config_model = RPCConfig

    def __init__(self) -> None:
        # Set here: a check of a plugin against a Protocol may read its properties before `init`.
        self._server: Server | None = None

    def init(self, config: Configurer, log: Logger) -> None:
        """Read the section. Raises PluginDisabled, and ConfigError for a wrong or a forbidden address."""
        section = config.section(self.name, RPCConfig)
        self._config = config
        self._log = log
        self._registry = Registry()
        self._registry.add(self.name, self.rpc())
        addresses = _allowed_addresses(section)
        self._server = Server(
            addresses,
            self._registry,
            log,
            max_frame_bytes=section.max_frame_bytes,
            max_connections=section.max_connections,
            access=_access(section, addresses),
        )

    def collects(self) -> Sequence[Collect[Any]]:
        """Ask for every plugin that serves methods."""
        return (Collect(RPCProvider, self._add),)

    def rpc(self) -> object:
        """Return the methods that every host serves."""
        return HostMethods(self._config, self._registry)

    @property
    def registry(self) -> Registry:
        """All served methods."""
        return self._registry

    @property
    def rpc_address(self) -> str:
        """The first address as a URL; empty before `init`. The port of port 0 is known once the plugin serves."""
        return str(self._server.address) if self._server else ""

    def listens(self) -> Sequence[Addresses]:
        """Return the addresses of the bus."""
        return [self._server.addresses] if self._server is not None else []

    def admit(self, uid: int) -> None:
        """Let the processes of this user connect to a unix socket, unless the section names another owner."""
        if self._server is not None and self._server.access.uid < 0:
            self._server.access = self._server.access._replace(uid=uid)

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until `stop`. Raises ListenError."""
        assert self._server is not None, "init comes first"
        if APP not in self._registry:  # a plugin of this name serves its own methods
            self._registry.add(APP, AppMethods(logger(APP)))
        section = self._config.section(self.name, RPCConfig)
        for address in self._server.addresses.all:
            if isinstance(address, SystemdAddress):
                _check_reach(section, passed_address(address, owner="rpc.listen"))
        await self._server.serve(task_status=task_status)

    async def stop(self) -> None:
        """Close. A running call has one second; then its client gets an error."""
        if self._server is not None:
            await self._server.stop()

    def _add(self, provider: RPCProvider) -> None:
        self._registry.add(provider.name, provider.rpc())


class HostMethods:
    """The methods `rpc.*`, about the host itself."""

    def __init__(self, config: Configurer, registry: Registry) -> None:
        self._config = config
        self._registry = registry

    def list(self) -> Sequence[str]:
        """Return the names of all methods that the host serves, sorted."""
        return [method.name for method in self._registry.describe()]

    def version(self) -> str:
        """Return the host's version."""
        return VERSION

    def config(self) -> bytes:
        """Return the host's configuration as JSON, with every secret replaced by `***`."""
        return msgspec.json.encode(self._config.masked())


def _allowed_addresses(section: RPCConfig) -> Addresses:
    addresses = listen_addresses(section.listen, "rpc.listen", urls=True)
    for address in addresses.all:
        if not isinstance(address, SystemdAddress):
            _check_reach(section, address)
    return addresses


def _access(section: RPCConfig, addresses: Addresses) -> SocketAccess:
    if section.socket is None:
        return SocketAccess()
    if not any(isinstance(address, UnixAddress) for address in addresses.all):
        raise ConfigError("is for an address unix:///path", key="rpc.socket", hint=f"rpc.listen is {addresses}")
    return section.socket.access()


def _check_reach(section: RPCConfig, address: Address) -> None:
    if section.allow_remote or is_loopback(address):
        return
    raise ConfigError(
        f"is {section.listen}",
        key="rpc.listen",
        hint=f"{address} is not a loopback address, and everyone who reaches it can call every method without a "
        "password; set rpc.allow_remote: true if only people you trust can reach it",
    )
