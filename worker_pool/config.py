"""The keys of the `server` section and of a plugin's `pool` section (docs/reference/wire.md, 'Pool')."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from ..container.config.fields import Duration, PositiveDuration
from ..container.errors import ConfigError
from ..container.net.address import parse_address
from ..container.net.listening import Addresses
from ..container.net.resolving import is_loopback, resolved

Count = Annotated[int, Meta(ge=0)]
Value = str | int | float | bool
_Assignment = Annotated[str, Meta(extra_json_schema={"pattern": r"=|\$"})]
MAX_WORKERS = 500
DEFAULT_COMMAND = "python -m rrpy.worker"


class SupervisorConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a worker. At a soft limit it finishes its request first, at the hard one the host kills it."""

    watch_tick: Annotated[PositiveDuration, Meta(description="how often the host looks at the soft limits")] = (
        PositiveDuration(5)
    )
    ttl: Annotated[Duration, Meta(description="soft: the age of a worker; 0 means no limit")] = Duration(0)
    idle_ttl: Annotated[
        Duration,
        Meta(
            description="soft: the time without a request; 0 means no limit. It counts for a worker that has served a "
            "request."
        ),
    ] = Duration(0)
    exec_ttl: Annotated[
        Duration,
        Meta(
            description="hard: the time for an answer; 0 means no limit. In a stream it limits each part. The host "
            "kills the worker, and the caller gets the error."
        ),
    ] = Duration(0)
    max_worker_memory: Annotated[
        Count, Meta(description="soft: MB of memory (RSS) of its processes; 0 means no limit")
    ] = 0


class AllocatorConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """More workers when requests wait. They leave when they have no work."""

    max_workers: Annotated[
        int, Meta(ge=1, le=100, description="the most of them at the same time, beside `num_workers`")
    ] = 10
    spawn_rate: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="the most that start at once. More start when these are ready and requests still wait.",
        ),
    ] = 5
    idle_timeout: Annotated[
        PositiveDuration, Meta(description="the time without a request before one of them leaves")
    ] = PositiveDuration(60)


class PoolConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A plugin's pool of workers."""

    num_workers: Annotated[
        int, Meta(ge=0, le=MAX_WORKERS, description="workers that always run; 0 means one for each CPU")
    ] = 0
    max_jobs: Annotated[
        Count,
        Meta(
            description="requests before the host replaces a worker; 0 means no limit. Each worker serves up to 15 % "
            "more, so that workers do not leave together."
        ),
    ] = 0
    max_queue_size: Annotated[
        Count, Meta(description="requests that wait or run; 0 means no limit. One more fails at once.")
    ] = 0
    allocate_timeout: Annotated[
        PositiveDuration, Meta(description="for a free worker, and for a new worker's handshake")
    ] = PositiveDuration(60)
    reset_timeout: Annotated[Duration, Meta(description="for a busy worker at a reset")] = Duration(60)
    stream_timeout: Annotated[
        Duration, Meta(description="for the end of a cancelled stream. After it the host kills the worker.")
    ] = Duration(60)
    destroy_timeout: Annotated[
        Duration, Meta(description="for a busy worker at the end. `endure.grace_period` limits it too.")
    ] = Duration(60)
    command: Annotated[str | list[str], Meta(description="in place of `server.command`; empty means that one")] = ""
    debug: Annotated[
        bool,
        Meta(
            description="for development: a fresh worker for each request. It starts after the request came, so that a "
            "changed file counts at once. `num_workers` run at the same time."
        ),
    ] = False
    supervisor: Annotated[SupervisorConfig | None, Meta(description="limits of a worker")] = None
    dynamic_allocator: Annotated[AllocatorConfig | None, Meta(description="more workers when requests wait")] = None

    def __post_init__(self) -> None:
        if self.command:
            split_command(self.command)
        if self.debug and self.dynamic_allocator is not None:
            hint = "with debug each request has its own worker"
            raise ConfigError("does not go with debug", key="dynamic_allocator", hint=hint)


class ServerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How the host runs workers."""

    command: Annotated[
        str | list[str],
        Meta(
            description='the command of a worker: `php worker.php`, `["node", "worker.js"]`. The host splits a text '
            "into words as a shell does, but runs no shell. The default is the worker that ships with rrpy."
        ),
    ] = DEFAULT_COMMAND
    relay: Annotated[
        str,
        Meta(
            description="how frames travel: `pipes`, or `tcp://127.0.0.1:7000`, `unix:///path`. `pipes` is stdin and "
            "stdout. To a socket the workers connect; only this machine can reach it. Port 0 picks a free port."
        ),
    ] = "pipes"
    env: Annotated[
        dict[str, Value] | list[_Assignment | dict[str, Value]],
        Meta(
            description="variables to add to the workers' environment, which is the host's. It is a mapping, or "
            "RoadRunner's list of mappings and of `NAME=value`. A number and `true` become their text."
        ),
    ] = {}
    user: Annotated[
        str | int,
        Meta(
            description="the workers' system user, for a host that runs as root; empty means the host's own. It is a "
            "name or a number, with a group where that is not the user's: `www-data`, `33`, `1000:1000`."
        ),
    ] = ""

    def __post_init__(self) -> None:
        split_command(self.command)
        for number, item in enumerate(self.env if isinstance(self.env, list) else ()):
            if isinstance(item, str) and "=" not in item:
                raise ConfigError("is not a variable", key=f"env.{number}", hint="it is written NAME=value")
        if (unfit := unfit_variable(self.variables)) is not None:
            raise ConfigError(f"{unfit!r} cannot be an environment variable", key="env")

    @property
    def variables(self) -> dict[str, str]:
        """The variables of `env`. Of two with one name the later one counts."""
        items = self.env if isinstance(self.env, list) else [self.env]
        found: dict[str, str] = {}
        for item in items:
            named = dict([item.split("=", 1)]) if isinstance(item, str) else item
            found |= {name: _text_of(value) for name, value in named.items()}
        return found


def _text_of(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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


def relay_addresses(relay: str) -> Addresses | None:
    """Return the addresses of `server.relay`, None for pipes. Raises ConfigError for one that is not this machine's."""
    if relay == "pipes":
        return None
    try:
        address = parse_address(relay)
        addresses = Addresses("server.relay", (tuple(resolved(address)),))
    except ValueError as error:
        raise ConfigError(f"is {relay!r}", key="server.relay", hint=f"it is not pipes, and {error}") from None
    if not is_loopback(address):
        hint = "it is not a loopback address; workers run on this machine, so use 127.0.0.1 or a unix socket"
        raise ConfigError(f"is {relay}", key="server.relay", hint=hint)
    return addresses
