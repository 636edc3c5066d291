"""The keys of the `server` section and of a plugin's `pool` section (WIRE.md, 'Pool'), with their defaults."""

from __future__ import annotations

import shlex
from typing import Annotated

import msgspec

from ..container.errors import ConfigError
from ..container.fields import Duration

Count = Annotated[int, msgspec.Meta(ge=0)]
Workers = Annotated[int, msgspec.Meta(ge=0, le=500)]

DEFAULT_COMMAND = "python -m rrpy.worker"


class SupervisorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker may use. 0 is no limit.

    `watch_tick`: how often the limits are looked at. `ttl`, `idle_ttl`, `max_worker_memory` (MB of RSS): soft, a worker
    finishes its request first. `exec_ttl`: hard, the worker is killed.
    """

    watch_tick: Duration = Duration(5)
    ttl: Duration = Duration(0)
    idle_ttl: Duration = Duration(0)
    exec_ttl: Duration = Duration(0)
    max_worker_memory: Count = 0


class PoolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plugin's pool.

    `num_workers`: 0 is one for each CPU. `max_jobs`: requests before a worker is replaced, 0 is no limit.
    `max_queue_size`: requests waiting or running at most, 0 is no limit. `allocate_timeout`: for a free worker, and for
    a spawned worker's handshake. `reset_timeout`, `destroy_timeout`: for a busy worker at a reset and at the end.
    `command`: in place of `server.command`.
    """

    num_workers: Workers = 0
    max_jobs: Count = 0
    max_queue_size: Count = 0
    allocate_timeout: Duration = Duration(60)
    reset_timeout: Duration = Duration(60)
    stream_timeout: Duration = Duration(60)
    destroy_timeout: Duration = Duration(60)
    command: str | list[str] = ""
    debug: bool = False
    supervisor: SupervisorConfig | None = None


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How workers are run.

    `command`: a string is split as a shell would, without being run by one. `relay`: `pipes`. `env`: added to the
    workers' environment. `user`: the system user that they run as, for a host that runs as root; empty is the host's.
    """

    command: str | list[str] = DEFAULT_COMMAND
    relay: str = "pipes"
    env: dict[str, str] = {}
    user: str = ""


def split_command(command: str | list[str], key: str) -> list[str]:
    """Return the words of a command. Raises ConfigError, naming the key, for an empty or ill-quoted one."""
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise ConfigError(f"{key} cannot be split into words: {error}") from None
    if not words or not words[0]:
        raise ConfigError(f"{key} is empty: say which command runs a worker, for example {DEFAULT_COMMAND!r}")
    if any("\0" in word for word in words):
        raise ConfigError(f"{key} contains a NUL byte, which no command can carry")
    return words


def refuse_unsupported(config: PoolConfig, section: str) -> None:
    """Raise ConfigError for a key whose feature does not exist yet, unless its value asks for nothing."""
    limits = config.supervisor or SupervisorConfig()
    asked = {
        "debug": config.debug,
        "stream_timeout": config.stream_timeout != PoolConfig().stream_timeout,
        "supervisor.ttl": limits.ttl,
        "supervisor.idle_ttl": limits.idle_ttl,
        "supervisor.exec_ttl": limits.exec_ttl,
        "supervisor.max_worker_memory": limits.max_worker_memory,
    }
    for key, value in asked.items():
        if value:
            raise ConfigError(f"{section}.{key} is not supported yet; leave the key out")
    if not config.allocate_timeout:
        raise ConfigError(f"{section}.allocate_timeout is 0: no worker can come up in no time")
