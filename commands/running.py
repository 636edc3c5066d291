"""The running host that a command calls: how it is found, and the names for TAB that only it knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ..container.errors import ConfigError, HostError
from ..container.net.address import parse_systemd
from .console import work_in
from .options import CONFIG, address_option, config_option, dotenv_option, override_option, workdir_option

if TYPE_CHECKING:
    from ..rpc.client import Client, ReconnectingClient

R = TypeVar("R")

NO_ANSWER: Final = "the host does not answer; trying again"
"""Shown by a command that waits for a host that went away."""
NO_WORKERS: Final = "No plugin of this host owns workers."

COMPLETION_TIMEOUT: Final = 1.0
"""Seconds that TAB waits for a running host; without an answer it offers no names."""


class RunningHost:
    """A running host, found by `--address` or by the configuration that it runs with."""

    def __init__(self, config: str, overrides: Sequence[str], dotenv: str | None, address: str | None) -> None:
        self._config = config
        self._overrides = overrides
        self._dotenv = dotenv
        self._address = address

    @cached_property
    def addresses(self) -> Sequence[str]:
        """The addresses of its RPC bus. Raises ConfigError, also for a configuration without a section rpc."""
        if self._address is not None:
            return [self._address]
        from ..container.config import Config

        found = Config.load(self._config, overrides=self._overrides, dotenv=self._dotenv)
        if not found.has("rpc"):
            raise ConfigError(
                f"{self._config} has no section rpc, so its host cannot be called; add `rpc:` to it or say --address"
            )
        from ..rpc.config import RPCConfig

        listen = found.section("rpc", RPCConfig).listen
        addresses = [listen] if isinstance(listen, str) else listen
        known = [address for address in addresses if not parse_systemd(address)]
        if not known:
            hint = (
                "this does not say where that is; say --address with what ListenStream= of the socket's unit has, "
                "as tcp://host:port or unix:///path"
            )
            error = ConfigError(f"is {', '.join(addresses) or 'an empty list'}", key="rpc.listen", hint=hint)
            found.locate(error)
            raise error
        return known

    def connect(self, timeout: float) -> Client:
        """Return a client that is connected to it, by the first address that answers. `timeout`: seconds a call.

        Raises ConfigError, and NotListening for the first address.
        """
        from ..rpc.client import Client
        from ..rpc.errors import NotListening

        failure: NotListening | None = None
        for address in self.addresses:
            try:
                return Client(address, timeout=timeout)
            except ValueError as error:
                raise ConfigError(str(error)) from None
            except NotListening as error:
                failure = failure or error
        assert failure is not None, "there is an address"
        raise failure


def host_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that name a running host; it gets the host as its first argument."""

    @wraps(command)
    def run(
        config: str, overrides: Sequence[str], workdir: str | None, dotenv: str | None, address: str | None, **rest: Any
    ) -> R:
        work_in(workdir)
        return command(RunningHost(config, overrides, dotenv, address), **rest)

    decorated: Callable[..., R] = run
    for option in (address_option, dotenv_option, workdir_option, override_option, config_option):
        decorated = option(decorated)
    return decorated


def workers_of(client: Client | ReconnectingClient, plugin: str) -> Sequence[Mapping[str, Any]]:
    """Return the workers of a plugin, as `informer.Workers` gives them."""
    return client.call("informer.Workers", plugin)["workers"] or []


def names_from(method: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return a completion with the names that this method of the host returns, without those on the line."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        given = context.params.get(parameter.name or "")
        taken = given if isinstance(given, tuple) else ()
        return [name for name in _ask(context, method) if name.startswith(incomplete) and name not in taken]

    return complete


def _ask(context: click.Context, method: str) -> Sequence[str]:
    given = context.params
    with suppress(HostError, OSError):
        if given.get("workdir"):
            os.chdir(given["workdir"])
        host = RunningHost(
            given.get("config") or CONFIG, given.get("overrides") or (), given.get("dotenv"), given.get("address")
        )
        with host.connect(COMPLETION_TIMEOUT) as client:
            return [str(name) for name in client.call(method) if str(name).isprintable()]
    return ()
