"""The plugin `server`: it makes worker pools for other plugins, and keeps the registry of those pools."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

import anyio
from anyio.abc import TaskStatus

from ..container.errors import ConfigError
from ..container.health import Status
from ..container.net.listening import Addresses
from ..container.protocols import Configurer, Logger
from ..container.version import VERSION
from .accounts import Account, find_account
from .config import PoolConfig, ServerConfig, relay_addresses, split_command, unfit_variable
from .pool import WorkerPool
from .protocols import Pool, RPCEndpoint, WorkerGroup
from .registry import PoolRegistry
from .relays import Relay
from .spawn import Launch


class ServerPlugin:
    """Makes pools (a PoolFactory) whose workers run the command of the section `server`, and shows them."""

    name = "server"
    config_model = ServerConfig

    def __init__(self) -> None:
        self._config = ServerConfig()
        self._command: list[str] = []
        self._account: Account | None = None
        self._rpc: RPCEndpoint | None = None
        self._relay_addresses: Addresses | None = None
        self._relay: Relay | None = None
        self._pools = PoolRegistry()
        self._stopped = anyio.Event()

    def init(self, config: Configurer, log: Logger, rpc: RPCEndpoint | None) -> None:
        """Read the section `server`. Raises PluginDisabled without one, ConfigError for a wrong one."""
        self._config = config.section(self.name, ServerConfig)
        self._relay_addresses = relay_addresses(self._config.relay)
        self._command = split_command(self._config.command)
        self._account = find_account(self._config.user)
        self._rpc = rpc
        if rpc is not None and self._account is not None:
            rpc.admit(self._account.uid)
        self._log = log
        log.debug("workers will run", command=" ".join(self._command))

    def listens(self) -> Sequence[Addresses]:
        """Return the addresses that workers connect to; none with pipes."""
        return [self._relay_addresses] if self._relay_addresses is not None else []

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Serve the socket that workers connect to, if there is one. A pool lives in the plugin that enters it."""
        if self._relay_addresses is None:
            task_status.started()
            await self._stopped.wait()
            return
        account = self._account
        async with Relay(self._relay_addresses, self._log, account.uid if account else None) as self._relay:
            self._log.info("workers dial in", relay=str(self._relay.address))
            task_status.started()
            await self._stopped.wait()

    async def stop(self) -> None:
        """Let `serve` return."""
        self._stopped.set()

    def new_pool(self, config: PoolConfig, env: Mapping[str, str], *, name: str) -> AbstractAsyncContextManager[Pool]:
        """Return a pool to be entered (see PoolFactory).

        Raises ConfigError for a wrong key of the pool, HostError when another pool of this name is in use. Entering
        raises WorkerBootError when a worker does not come up.
        """
        from ..container.log import logger

        if (unfit := unfit_variable(env)) is not None:
            raise ConfigError(f"the environment that {name} adds: {unfit!r} cannot be an environment variable")
        command = split_command(config.command, f"{name}.pool.command") if config.command else self._command

        def make() -> WorkerPool:
            launch = Launch(command, self._environment(env), self._account, self._relay)
            return WorkerPool(config, launch, logger(name))

        return self._pools.new(name, make)

    def worker_groups(self) -> Mapping[str, WorkerGroup]:
        """Return the pools by name, also those that are not up yet or any more."""
        return self._pools.groups()

    def readiness_checks(self) -> Mapping[str, Callable[[], Status]]:
        """Return a check of each pool: whether a worker can take a request."""
        return self._pools.readiness()

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return a worker's environment (docs/reference/wire.md#worker-protocol): a later source wins."""
        rpc = {"RR_RPC": self._rpc.rpc_address} if self._rpc is not None else {}
        relay = {"RR_RELAY": str(self._relay.address) if self._relay is not None else "pipes"}
        user = self._account.variables if self._account is not None else {}
        return {**os.environ, **user, **relay, **rpc, **self._config.variables, "RR_VERSION": VERSION, **env}
