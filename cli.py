"""The command line, and the composition root: the one place that knows which plugins a host has.

Imports are inside the commands: `rrpy --help` and `rrpy rpc` must not wait for what only `serve` needs.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from functools import cached_property, wraps
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import click

from .container.errors import ConfigError, HostError
from .container.version import VERSION

if TYPE_CHECKING:
    from .container.protocols import Plugin
    from .rpc.client import Client

P = ParamSpec("P")
R = TypeVar("R")

CONFIG = "rr.yaml"
PID_FILE = ".pid"
SECONDS = click.FloatRange(min=0.001, max=86400)
LOOK_TIMEOUT = 10.0
LIVE_TIMEOUT = 3.0
"""Seconds that a host has to say how its workers are; less where somebody looks on."""


def default_plugins() -> list[Plugin]:
    """Return new instances of the host's own plugins, in the order in which they start when nothing else decides."""
    from .rpc.plugin import RPCPlugin
    from .smtp_plugin.plugin import SMTPPlugin
    from .worker_pool.informer import InformerPlugin
    from .worker_pool.plugin import ServerPlugin
    from .worker_pool.resetter import ResetterPlugin

    return [RPCPlugin(), ServerPlugin(), InformerPlugin(), ResetterPlugin(), SMTPPlugin()]


def one_sentence(command: Callable[P, R]) -> Callable[P, R]:
    """Turn an error that a person can act on into one sentence on stderr and its exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except HostError as error:
            fail(str(error), error.exit_code)

    return run


def say(text: str) -> bool:
    """Print a result and say whether anybody reads it. A reader that has gone is no error; a disk that is full is."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's own flush is silent
        return False
    except OSError as error:
        fail_to_print(error)
    return True


def fail_to_print(error: OSError) -> NoReturn:
    """Say that stdout does not take what we print, and end."""
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
plugins_argument = click.argument("plugins", nargs=-1, metavar="[PLUGIN]...")


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
        from .container.config import Config

        found = Config.load(self._config, overrides=self._overrides, dotenv=self._dotenv)
        if not found.has("rpc"):
            raise ConfigError(
                f"{self._config} has no section rpc, so its host cannot be called; add `rpc:` to it or say --address"
            )
        from .rpc.config import RPCConfig

        return found.section("rpc", RPCConfig).listen

    def connect(self, timeout: float) -> Client:
        """Return a client that is connected to it. `timeout`: seconds a call. Raises ConfigError, NotListening."""
        from .rpc.client import Client

        try:
            return Client(self.address, timeout=timeout)
        except ValueError as error:
            raise ConfigError(str(error)) from None


def finds_host(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that say which running host it is about; it gets the host as its first argument."""

    @wraps(command)
    def run(
        config: str, overrides: Sequence[str], workdir: str | None, dotenv: str | None, address: str | None, **rest: Any
    ) -> R:
        _work_in(workdir)
        return command(Running(config, overrides, dotenv, address), **rest)

    decorated: Callable[..., R] = run
    for option in (address_option, dotenv_option, workdir_option, override_option, config_option):
        decorated = option(decorated)
    return decorated


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, "-v", "--version", message="%(prog)s %(version)s")
def main() -> None:
    """Run plugins and pools of worker processes, RoadRunner's way. The first plugin is an SMTP server.

    \b
    rrpy serve -c rr.yaml               run the host
    rrpy rpc smtp.ListConnections       call a method of a running host
    rrpy workers                        see what its workers do
    rrpy reset                          replace its workers
    rrpy tail                           see mail as it comes

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
@finds_host
@click.option("--timeout", type=SECONDS, default=60.0, show_default=True, help="Seconds to wait for the answer.")
@one_sentence
def rpc(host: Running, method: str, argument: str | None, timeout: float) -> None:
    """Call METHOD of a running host, for example smtp.ListConnections, and print its result as JSON.

    ARGUMENT is JSON where it parses as JSON, else a string; without one it is `true`. The result is indented on a
    terminal and one line in a pipe. Exit code 1: the method answered with an error; 2: nobody answers there.
    """
    value = True if argument is None else _argument(argument)
    with host.connect(timeout) as client:
        try:
            result = client.call(method, value)
        except (ValueError, RecursionError) as error:
            fail(f"{method} cannot be called with that: {error}", 2)
    say(to_json(result))


@main.command()
@plugins_argument
@finds_host
@click.option("-i", "--interactive", is_flag=True, help="Show them anew every second, until Ctrl+C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_sentence
def workers(host: Running, plugins: Sequence[str], interactive: bool, as_json: bool) -> None:
    """Show the workers of a running host, of every plugin or of those named."""
    if interactive and as_json:
        fail("-i shows a table that changes, --json prints once; say one of them", 2)
    if interactive and not _can_draw():
        fail("-i needs a terminal to draw on; without -i the table is printed once", 2)
    with host.connect(LOOK_TIMEOUT) as client:
        known = client.call("informer.List")
        for name in plugins:
            if name not in known:
                fail(f"no plugin {name} owns workers; those that do: {', '.join(known) or 'none'}", 1)
        if not interactive:
            table = {name: _workers_of(client, name) for name in plugins or known}
    if interactive:
        _watch(host, plugins)
    elif as_json:
        say(to_json(table))
    else:
        from .worker_pool.table import printed

        say(printed(table))


@main.command()
@plugins_argument
@finds_host
@click.option("--timeout", type=SECONDS, default=120.0, show_default=True, help="Seconds that each plugin may take.")
@one_sentence
def reset(host: Running, plugins: Sequence[str], timeout: float) -> None:
    """Replace the workers of a running host, of every plugin or of those named, one plugin after another.

    No request fails: a new worker is up before the old one leaves. Exit code 1: not every worker was replaced.
    """
    with host.connect(timeout) as client:
        known = client.call("resetter.List")
    for name in plugins:
        if name not in known:
            fail(f"no such plugin: {name}; those that can be reset: {', '.join(known) or 'none'}", 1)
    if not known:
        from .worker_pool.table import NOBODY

        say(NOBODY)
    failed = [name for name in plugins or known if not _reset(host, name, timeout)]
    sys.exit(1 if failed else 0)


@main.command()
@finds_host
@click.option("-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True, help="How many of the past.")
@click.option("--once", is_flag=True, help="Print these and end.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@one_sentence
def tail(host: Running, lines: int, once: bool, as_json: bool) -> None:
    """Show mail as it comes in on a running host, until Ctrl+C: from, to, subject, size, and what the client was told.

    The host remembers the last smtp.history messages, without their contents.
    """
    from .smtp_plugin import tail as tails

    def connect() -> Client:
        return host.connect(tails.PATIENCE)

    def show(mail: Any) -> bool:
        text = json.dumps(mail) if as_json else tails.line(mail)
        return say(text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))

    try:
        client = connect()
        known = tails.past(client)
        shown = all(show(mail) for mail in known["messages"][max(0, len(known["messages"]) - lines) :])
        if once or not shown:
            client.close()
            return
        for mail in tails.follow(connect, client, known, lambda: click.echo(f"rrpy: {tails.AWAY}", err=True)):
            if not show(mail):
                return
    except KeyboardInterrupt:
        return


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
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:  # what the interpreter makes of a stream that is closed
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _work_in(folder: str | None) -> None:
    if folder is None:
        return
    try:
        os.chdir(folder)
    except OSError as error:
        fail(f"cannot work in {folder}: {error.strerror}", 2)


def _workers_of(client: Client, plugin: str) -> Sequence[Mapping[str, Any]]:
    return client.call("informer.Workers", plugin)["workers"] or []


def _reset(host: Running, plugin: str, timeout: float) -> bool:
    """Replace the workers of one plugin, and tell how that went. Raises NotListening."""
    from .rpc.errors import ConnectionLost, RPCError

    # A connection of its own: one that was too slow to answer is of no use to the next plugin.
    with host.connect(timeout) as client:
        try:
            before = {worker["pid"] for worker in _workers_of(client, plugin)}
            began = time.monotonic()
            client.call("resetter.Reset", plugin)
            took = time.monotonic() - began
            # An old one that is at work still is there, and does not count.
            count = len({worker["pid"] for worker in _workers_of(client, plugin)} - before)
        except (RPCError, ConnectionLost) as error:
            click.echo(f"{plugin}: {error}", err=True)
            return False
    say(f"{plugin}: {count} worker{'' if count == 1 else 's'} replaced in {took:.1f} s")
    return True


def _can_draw() -> bool:
    """Say whether stdout is a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def _watch(host: Running, plugins: Sequence[str]) -> None:
    from .worker_pool.live import Look, watch

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an error in the middle would leave the terminal as it is
    with closing(Look(lambda: host.connect(LIVE_TIMEOUT), plugins)) as look, suppress(KeyboardInterrupt):
        try:
            watch(look)
        except OSError as error:
            fail_to_print(error)
