"""What TAB offers that only the running host knows: methods, and the plugins that own workers. Silent without one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress

import click

from ..container.errors import HostError
from ..container.options import CONFIG
from .running import Running

PATIENCE = 1.0
"""Seconds that a person at a prompt waits for names."""


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
        with host.connect(PATIENCE) as client:
            return [str(name) for name in client.call(method)]
    return ()
