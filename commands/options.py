"""The options and arguments that several commands share."""

from __future__ import annotations

import click

from .completion import files, folders, override_keys

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
address_option = click.option(
    "--address", metavar="URL", help="Where the host serves RPC (tcp://host:port or unix:///path), instead of -c."
)
