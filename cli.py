"""The command line, and the composition root: the one place that knows which plugins a host has.

Imports are inside the commands: `rrpy --help` and `rrpy rpc` must not wait for what only `serve` needs.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import click

from .container.errors import HostError
from .container.version import VERSION

if TYPE_CHECKING:
    from .container.protocols import Plugin
    from .rpc.client import Client

P = ParamSpec("P")
R = TypeVar("R")

CONFIG = "rr.yaml"
PID_FILE = ".pid"
SECONDS = click.FloatRange(min=0.001, max=86400)


def default_plugins() -> list[Plugin]:
    """Return new instances of the host's own plugins, in the order in which they start when nothing else decides."""
    from .rpc.plugin import RPCPlugin
    from .smtp_plugin.plugin import SMTPPlugin
    from .worker_pool.informer import InformerPlugin
    from .worker_pool.plugin import ServerPlugin

    return [RPCPlugin(), ServerPlugin(), InformerPlugin(), SMTPPlugin()]


def one_sentence(command: Callable[P, R]) -> Callable[P, R]:
    """Turn an error that a person can act on into one sentence on stderr and its exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except HostError as error:
            fail(str(error), error.exit_code)

    return run


def say(text: str) -> None:
    """Print a result. A reader that has gone is no error; a disk that is full is one."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's own flush is silent
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        fail(f"cannot print the result: {(error.strerror or str(error)).lower()}", 1)


def to_json(result: Any) -> str:
    """Return JSON: indented on a terminal, one line in a pipe, with escapes only where stdout needs them."""
    indent = 2 if sys.stdout.isatty() else None
    text = json.dumps(result, indent=indent, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return json.dumps(result, indent=indent)
    return text


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong and end with this exit code."""
    click.echo(f"rrpy: {message}", err=True)
    sys.exit(code)


config_option = click.option(
    "-c",
    "--config",
    default=CONFIG,
    show_default=True,
    metavar="FILE",
    help="The configuration file.",
)
override_option = click.option(
    "-o",
    "--override",
    "overrides",
    multiple=True,
    metavar="KEY.PATH=VALUE",
    help="Set one key of the configuration, for example -o smtp.addr=127.0.0.1:2525. May be repeated.",
)
dotenv_option = click.option("--dotenv", metavar="FILE", help="Load environment variables from this file first.")
workdir_option = click.option("-w", "--workdir", metavar="DIR", help="Work in this folder.")
address_option = click.option(
    "--address", metavar="URL", help="Where the host serves RPC (tcp://host:port or unix:///path), instead of -c."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, "-v", "--version", message="%(prog)s %(version)s")
def main() -> None:
    """Run plugins and pools of worker processes, RoadRunner's way. The first plugin is an SMTP server.

    \b
    rrpy serve -c rr.yaml               run the host
    rrpy rpc smtp.ListConnections       call a method of a running host
    rrpy workers                        see what its workers do

    Exit codes: 0 all went well, 1 a plugin failed or a method answered with an error, 2 the command line or the
    configuration is wrong, or nobody answers.
    """  # noqa: D301 - click reads the backspace character
    _open_standard_streams()


@main.command()
@config_option
@override_option
@workdir_option
@dotenv_option
@click.option("-d", "--debug", is_flag=True, help="Log at level debug, whatever the configuration says.")
@click.option("-s", "--silent", is_flag=True, help="Log errors only.")
@click.option("-p", "--pid", is_flag=True, help=f"Write {PID_FILE} into the working folder, for `rrpy stop`.")
@one_sentence
def serve(
    config: str,
    overrides: Sequence[str],
    workdir: str | None,
    dotenv: str | None,
    debug: bool,
    silent: bool,
    pid: bool,
) -> None:
    """Run the host until it is told to stop.

    The first Ctrl+C (or SIGTERM) ends it gracefully, within endure.grace_period; the second at once.
    """
    _work_in(workdir)
    from contextlib import nullcontext

    from .container.config import Config
    from .container.container import Container
    from .container.loader import load_plugins
    from .container.pidfile import PidFile

    configuration = Config.load(config, overrides=overrides, dotenv=dotenv)
    plugins = load_plugins(configuration.plugins, Path(config).parent)
    container = Container(plugins, configuration, optional=default_plugins())
    with PidFile(Path(PID_FILE)) if pid else nullcontext():
        code = container.run(debug=debug, silent=silent)
    sys.exit(code)


@main.command()
@click.argument("method")
@click.argument("argument", required=False)
@config_option
@override_option
@workdir_option
@dotenv_option
@address_option
@click.option("--timeout", type=SECONDS, default=60.0, show_default=True, help="Seconds to wait for the answer.")
@one_sentence
def rpc(
    method: str,
    argument: str | None,
    config: str,
    overrides: Sequence[str],
    workdir: str | None,
    dotenv: str | None,
    address: str | None,
    timeout: float,
) -> None:
    """Call METHOD of a running host, for example smtp.ListConnections, and print its result as JSON.

    ARGUMENT is JSON where it parses as JSON, else a string; without one it is `true`. The result is indented on a
    terminal and one line in a pipe. Exit code 1: the method answered with an error; 2: nobody answers there.
    """
    _work_in(workdir)
    value = True if argument is None else _argument(argument)
    with _client(config, overrides, dotenv, address, timeout) as client:
        try:
            result = client.call(method, value)
        except (ValueError, RecursionError) as error:
            fail(f"{method} cannot be called with that: {error}", 2)
    say(to_json(result))


@main.command()
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...")
@config_option
@override_option
@workdir_option
@dotenv_option
@address_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_sentence
def workers(
    plugins: Sequence[str],
    config: str,
    overrides: Sequence[str],
    workdir: str | None,
    dotenv: str | None,
    address: str | None,
    as_json: bool,
) -> None:
    """Show the workers of a running host, of every plugin or of those named."""
    _work_in(workdir)
    with _client(config, overrides, dotenv, address, 10.0) as client:
        known = client.call("informer.List", True)
        for name in plugins:
            if name not in known:
                fail(f"no plugin {name} owns workers; those that do: {', '.join(known) or 'none'}", 1)
        table = {name: client.call("informer.Workers", name)["workers"] or [] for name in plugins or known}
    if as_json:
        say(to_json(table))
        return
    from .worker_pool.table import workers_table

    say(workers_table(table))


@main.command()
@workdir_option
@click.option("--timeout", type=SECONDS, default=60.0, show_default=True, help="Seconds to wait for its end.")
@one_sentence
def stop(workdir: str | None, timeout: float) -> None:
    """Stop the host that runs with -p in this folder, gracefully, and wait for its end."""
    _work_in(workdir)
    from .container.pidfile import stop_host

    stop_host(Path(PID_FILE), timeout)


def _argument(text: str) -> Any:
    """Return what ARGUMENT says: JSON where it is JSON, else the text itself."""

    def finite(number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            raise ValueError(number)
        return value

    try:
        return json.loads(text, parse_constant=finite, parse_float=finite)
    except (ValueError, RecursionError):
        return text


def _open_standard_streams() -> None:
    """Put /dev/null where a standard stream is closed: the next file opened would take its number, and its output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _work_in(folder: str | None) -> None:
    if folder is None:
        return
    try:
        os.chdir(folder)
    except OSError as error:
        fail(f"cannot work in {folder}: {error.strerror}", 2)


def _client(config: str, overrides: Sequence[str], dotenv: str | None, address: str | None, timeout: float) -> Client:
    """Return a client that is connected to the host."""
    from .rpc.client import Client

    if address is None:
        from .container.config import Config

        found = Config.load(config, overrides=overrides, dotenv=dotenv)
        if not found.has("rpc"):
            fail(f"{config} has no section rpc, so its host cannot be called; add `rpc:` to it or say --address", 2)
        from .rpc.config import RPCConfig

        address = found.section("rpc", RPCConfig).listen
    try:
        return Client(address, timeout=timeout)
    except ValueError as error:
        fail(str(error), 2)
