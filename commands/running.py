"""The running host that a command is about: how it is found, and what TAB offers that only it knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ..container.errors import ConfigError, HostError
from ..container.net.address import parse_systemd
from .console import work_in
from .options import CONFIG, address_option, config_option, dotenv_option, override_option, workdir_option

if TYPE_CHECKING:
    from ..rpc.client import Client

R = TypeVar("R")

AWAY: Final = "the host does not answer; trying again"
"""Shown by a command that waits for a host that went away."""

COMPLETION_TIMEOUT: Final = 1.0
"""Seconds that TAB waits for names of a running host; without an answer it offers none."""


class Running:
    """A running host, found by `--address` or by the configuration that it runs with."""

    def __init__(self, config: str, overrides: Sequence[str], dotenv: str | None, address: str | None) -> None:
        self._config = config
        self._overrides = overrides
        self._dotenv = dotenv
        self._said = address

    @cached_property
    def address(self) -> str:
        """Where it serves RPC. Raises ConfigError, also for a configuration without a section rpc."""
        if self._said is not None:
            return self._said
        from ..container.config import Config

        found = Config.load(self._config, overrides=self._overrides, dotenv=self._dotenv)
        if not found.has("rpc"):
            raise ConfigError(
                f"{self._config} has no section rpc, so its host cannot be called; add `rpc:` to it or say --address"
            )
        from ..rpc.config import RPCConfig

        listen = found.section("rpc", RPCConfig).listen
        if parse_systemd(listen):
            hint = (
                "this does not say where that is; say --address with what ListenStream= of the socket's unit has, "
                "as tcp://host:port or unix:///path"
            )
            error = ConfigError(f"is {listen}", key="rpc.listen", hint=hint)
            found.locate(error)
            raise error
        return listen

    def connect(self, timeout: float) -> Client:
        """Return a client that is connected to it. `timeout`: seconds a call. Raises ConfigError, NotListening."""
        from ..rpc.client import Client

        address = self.address
        try:
            return Client(address, timeout=timeout)
        except ValueError as error:
            raise ConfigError(str(error)) from None


def finds_host(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that say which running host it is about; it gets the host as its first argument."""

    @wraps(command)
    def run(
        config: str, overrides: Sequence[str], workdir: str | None, dotenv: str | None, address: str | None, **rest: Any
    ) -> R:
        work_in(workdir)
        return command(Running(config, overrides, dotenv, address), **rest)

    decorated: Callable[..., R] = run
    for option in (address_option, dotenv_option, workdir_option, override_option, config_option):
        decorated = option(decorated)
    return decorated


def names_from(method: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return a completion that offers the names which this method of the host returns, none of them twice."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        given = context.params.get(parameter.name or "")
        taken = given if isinstance(given, tuple) else ()
        return [name for name in _ask(context, method) if name.startswith(incomplete) and name not in taken]

    return complete


def _ask(context: click.Context, method: str) -> Sequence[str]:
    said = context.params
    with suppress(HostError, OSError):
        if said.get("workdir"):
            os.chdir(said["workdir"])
        host = Running(
            said.get("config") or CONFIG, said.get("overrides") or (), said.get("dotenv"), said.get("address")
        )
        with host.connect(COMPLETION_TIMEOUT) as client:
            return [str(name) for name in client.call(method)]
    return ()
