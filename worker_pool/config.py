"""The keys of the `server` section and of a plugin's `pool` section (WIRE.md, 'Pool'), with their defaults."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Annotated

import msgspec

from ..container.config.fields import Duration, PositiveDuration
from ..container.errors import ConfigError
from ..container.net.address import Address, parse_address
from ..container.net.sockets import is_loopback, pinned

Count = Annotated[int, msgspec.Meta(ge=0)]
MAX_WORKERS = 500
Workers = Annotated[int, msgspec.Meta(ge=0, le=MAX_WORKERS)]

DEFAULT_COMMAND = "python -m rrpy.worker"


class SupervisorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker may use. 0 is no limit.

    `watch_tick`: how often the soft limits are looked at. `ttl`, `idle_ttl`, `max_worker_memory` (MB of RSS): soft, a
    worker finishes its request first. `exec_ttl`: hard, the worker is killed.
    """

    watch_tick: PositiveDuration = PositiveDuration(5)
    ttl: Duration = Duration(0)
    idle_ttl: Duration = Duration(0)
    exec_ttl: Duration = Duration(0)
    max_worker_memory: Count = 0


class AllocatorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Workers that come when requests wait, and go again.

    `max_workers`: beside `num_workers`, at the same time. `spawn_rate`: started at once; more when these are up and
    requests wait still. `idle_timeout`: without work before one of them goes.
    """

    max_workers: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    spawn_rate: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5
    idle_timeout: PositiveDuration = PositiveDuration(60)


class PoolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plugin's pool.

    `num_workers`: 0 is one for each CPU. `max_jobs`: requests before a worker is replaced, 0 is no limit.
    `max_queue_size`: requests waiting or running at most, 0 is no limit. `allocate_timeout`: for a free worker, and for
    a spawned worker's handshake. `reset_timeout`, `destroy_timeout`: for a busy worker at a reset and at the end.
    `stream_timeout`: for the end of a cancelled stream. `command`: in place of `server.command`. `debug`: no standing
    workers, a fresh one for each request, `num_workers` at the same time. `supervisor`: limits of a worker; absent is
    none. `dynamic_allocator`: more workers when requests wait; absent is as many as `num_workers` says.
    """

    num_workers: Workers = 0
    max_jobs: Count = 0
    max_queue_size: Count = 0
    allocate_timeout: PositiveDuration = PositiveDuration(60)
    reset_timeout: Duration = Duration(60)
    stream_timeout: Duration = Duration(60)
    destroy_timeout: Duration = Duration(60)
    command: str | list[str] = ""
    debug: bool = False
    supervisor: SupervisorConfig | None = None
    dynamic_allocator: AllocatorConfig | None = None

    def __post_init__(self) -> None:
        if self.command:
            split_command(self.command)
        if self.debug and self.dynamic_allocator is not None:
            hint = "with debug each request has its own worker"
            raise ConfigError("does not go with debug", key="dynamic_allocator", hint=hint)


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How workers are run.

    `command`: a string is split as a shell would, without being run by one. `relay`: `pipes`, or the address that
    workers dial in to, `tcp://host:port` or `unix:///path`. `env`: added to the workers' environment. `user`: the
    system user that they run as, for a host that runs as root; empty is the host's.
    """

    command: str | list[str] = DEFAULT_COMMAND
    relay: str = "pipes"
    env: dict[str, str] = {}
    user: str = ""

    def __post_init__(self) -> None:
        split_command(self.command)
        if unfit := unfit_variable(self.env):
            raise ConfigError(f"{unfit!r} cannot be an environment variable", key="env")


def split_command(command: str | list[str], key: str = "command") -> list[str]:
    """Return the words of a command. Raises ConfigError, naming the key, for an empty or ill-quoted one."""
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise ConfigError("cannot be split into words", key=key, hint=str(error).lower()) from None
    if not words or not words[0]:
        hint = f"say which command runs a worker, for example {DEFAULT_COMMAND!r}"
        raise ConfigError("is empty", key=key, hint=hint)
    if any("\0" in word for word in words):
        raise ConfigError("contains a NUL byte, which no command can carry", key=key)
    return words


def unfit_variable(env: Mapping[str, str]) -> str | None:
    """Return a name that the system cannot carry, alone or with its value; None when all are fine.

    uvloop refuses such a variable when the process starts; asyncio cuts it off.
    """
    return next((name for name, value in env.items() if not name or "=" in name or "\0" in name + value), None)


def relay_address(relay: str) -> Address | None:
    """Return the address of `server.relay`, None for pipes. Raises ConfigError for one that is not this machine's."""
    if relay == "pipes":
        return None
    try:
        address = pinned(parse_address(relay))
    except ValueError as error:
        raise ConfigError(f"is {relay!r}", key="server.relay", hint=f"it is not pipes, and {error}") from None
    if not is_loopback(address):
        hint = "it is not a loopback address; workers run on this machine, so use 127.0.0.1 or a unix socket"
        raise ConfigError(f"is {relay}", key="server.relay", hint=hint)
    return address
