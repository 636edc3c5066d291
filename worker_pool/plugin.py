"""The `server` plugin: it makes worker pools for the other plugins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import anyio
from anyio.abc import TaskStatus

from ..container.errors import ConfigError
from ..container.protocols import Configurer, Logger
from ..container.version import VERSION
from .config import PoolConfig, ServerConfig, refuse_unsupported, split_command
from .pool import WorkerPool
from .protocols import Pool, RPCEndpoint
from .spawn import Account, Launch, find_account


class ServerPlugin:
    """Makes pools (a PoolFactory) whose workers run the command of the `server` section."""

    name = "server"

    def __init__(self) -> None:
        self._config = ServerConfig()
        self._command: list[str] = []
        self._account: Account | None = None
        self._rpc: RPCEndpoint | None = None
        self._stopped = anyio.Event()

    def init(self, config: Configurer, log: Logger, rpc: RPCEndpoint | None) -> None:
        """Read the `server` section. Raises PluginDisabled without one, ConfigError for a wrong one."""
        self._config = config.section(self.name, ServerConfig)
        if self._config.relay != "pipes":
            raise ConfigError(f"server.relay {self._config.relay!r} is not supported yet; use 'pipes'")
        self._command = split_command(self._config.command, "server.command")
        self._account = find_account(self._config.user)
        self._rpc = rpc
        _check_environment(self._config.env, "server.env")
        log.debug("workers will run", command=" ".join(self._command))

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Have nothing to run: a pool lives in the plugin that entered it."""
        task_status.started()
        await self._stopped.wait()

    async def stop(self) -> None:
        """Have nothing to end."""
        self._stopped.set()

    def new_pool(self, config: PoolConfig, env: Mapping[str, str], *, name: str) -> AbstractAsyncContextManager[Pool]:
        """Return a pool to be entered. `env`: added to the workers' environment; `name`: the plugin's, for the log.

        Raises ConfigError for a key of the pool that is wrong or not supported yet. Entering raises WorkerBootError
        when a worker does not come up.
        """
        from ..container.log import logger

        refuse_unsupported(config, f"{name}.pool")
        _check_environment(env, f"the environment that {name} adds")
        command = split_command(config.command, f"{name}.pool.command") if config.command else self._command
        return WorkerPool(config, Launch(command, self._environment(env), self._account), logger(name))

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return a worker's environment, later wins (WIRE.md, 'Worker protocol')."""
        rpc = {"RR_RPC": self._rpc.rpc_address} if self._rpc is not None else {}
        relay = {"RR_RELAY": self._config.relay}
        return {**os.environ, **relay, **rpc, **self._config.env, "RR_VERSION": VERSION, **env}


def _check_environment(env: Mapping[str, str], key: str) -> None:
    """Raise ConfigError for what the system cannot carry: one loop refuses it at the start, the other cuts it off."""
    for name, value in env.items():
        if not name or "=" in name or "\0" in name + value:
            raise ConfigError(f"{key}: {name!r} cannot be an environment variable")
