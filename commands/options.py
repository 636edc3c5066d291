"""The options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click
from click.core import ParameterSource

from .completion import files, folders, override_keys

P = ParamSpec("P")
R = TypeVar("R")

CONFIG = "rr.yaml"
SECONDS = click.FloatRange(min=0.001, max=86400)

config_option = click.option(
    "-c",
    "--config",
    default=CONFIG,
    show_default=True,
    metavar="FILE",
    shell_complete=files,
    help="The configuration file.",
)
override_option = click.option(
    "-o",
    "--override",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    shell_complete=override_keys,
    help="Set one key of the configuration, for example -o smtp.addr=127.0.0.1:2525. May be repeated.",
)
dotenv_option = click.option(
    "--dotenv", metavar="FILE", shell_complete=files, help="Load environment variables from this file first."
)
workdir_option = click.option("-w", "--workdir", metavar="DIR", shell_complete=folders, help="Work in this folder.")
debug_option = click.option("-d", "--debug", is_flag=True, help="Log at level debug, whatever the configuration says.")
silent_option = click.option("-s", "--silent", is_flag=True, help="Log errors only.")
pid_option = click.option("-p", "--pid", is_flag=True, help="Write .pid into the working folder, for `rrpy stop`.")
address_option = click.option(
    "--address", metavar="URL", help="Where the host serves RPC (tcp://host:port or unix:///path), instead of -c."
)
smtp_option = click.option(
    "--smtp",
    metavar="HOST:PORT",
    help="The server for the mail. Default: that of SMTP_HOST and SMTP_PORT, else localhost:1025.",
)


def serve_options(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command the options of `rrpy serve`, which may also stand before the name of a command."""
    options = (config_option, override_option, workdir_option, dotenv_option, debug_option, silent_option, pid_option)
    for option in reversed(options):
        command = option(command)
    return command


class Commands(click.Group):
    """A group that passes its own options on: `rrpy -c rr.yaml serve` is `rrpy serve -c rr.yaml`.

    RoadRunner takes its options in both places. A command refuses what it does not take, wherever that stands.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and its arguments, with the options before its name first."""
        name, command, rest = super().resolve_command(ctx, args)
        if isinstance(command, click.Group):  # they belong to the command below it
            return name, command, [*rest[:1], *self._given(ctx), *rest[1:]]
        return name, command, [*self._given(ctx), *rest]

    def _given(self, context: click.Context) -> list[str]:
        words = []
        for option in self.params:
            name = option.name or ""
            if context.get_parameter_source(name) not in (None, ParameterSource.DEFAULT) and option.expose_value:
                value = context.params[name]
                values = value if isinstance(value, tuple) else (value,)
                long = option.opts[-1]
                words += [long if each is True else f"{long}={each}" for each in values]
        return words
