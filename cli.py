"""The command line, and the composition root: the one place that knows which plugins a host has.

Imports are inside the commands: `rrpy --help` and `rrpy rpc` must not wait for what only `serve` needs.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .commands.completion import SHELLS, files, script
from .commands.console import can_draw, fail, fail_to_print, one_sentence, open_standard_streams, say, to_json, work_in
from .commands.options import CONFIG, SECONDS, config_option, dotenv_option, override_option, workdir_option
from .commands.running import AWAY, Running, finds_host, names_from
from .container.version import VERSION

if TYPE_CHECKING:
    from .container.protocols import Plugin
    from .rpc.client import Client

PID_FILE = ".pid"
LOOK_TIMEOUT = 10.0
LIVE_TIMEOUT = 3.0
"""Seconds that a host has to say how its workers are; less where somebody looks on."""


def default_plugins() -> list[Plugin]:
    """Return new instances of the host's own plugins, in the order in which they start when nothing else decides."""
    from .inbox.plugin import InboxPlugin
    from .ops.metrics import MetricsPlugin
    from .ops.status import StatusPlugin
    from .rpc.plugin import RPCPlugin
    from .smtp_plugin.plugin import SMTPPlugin
    from .worker_pool.informer import InformerPlugin
    from .worker_pool.plugin import ServerPlugin
    from .worker_pool.resetter import ResetterPlugin

    return [
        StatusPlugin(),
        MetricsPlugin(),
        RPCPlugin(),
        ServerPlugin(),
        InformerPlugin(),
        ResetterPlugin(),
        SMTPPlugin(),
        InboxPlugin(),
    ]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "obj": default_plugins})
@click.version_option(VERSION, "-v", "--version", message="%(prog)s %(version)s")
def main() -> None:
    """Run plugins and pools of worker processes, RoadRunner's way. The first plugin is an SMTP server.

    \b
    rrpy serve -c rr.yaml               run the host
    rrpy rpc smtp.ListConnections       call a method of a running host
    rrpy workers                        see what its workers do
    rrpy reset                          replace its workers
    rrpy tail                           see mail as it comes
    rrpy init                           write a configuration to start with
    rrpy config check                   see what is wrong with it

    Exit codes: 0 all went well, 1 a plugin failed or a method answered with an error, 2 the command line or the
    configuration is wrong, or nobody answers.
    """  # noqa: D301 - click reads the backspace character
    open_standard_streams()


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
    work_in(workdir)
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


@main.command(short_help="Call a method of a running host.")
@click.argument("method", shell_complete=names_from("rpc.List"))
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


@main.command(short_help="Show the workers of a running host.")
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...", shell_complete=names_from("informer.List"))
@finds_host
@click.option("-i", "--interactive", is_flag=True, help="Show them anew every second, until Ctrl+C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_sentence
def workers(host: Running, plugins: Sequence[str], interactive: bool, as_json: bool) -> None:
    """Show the workers of a running host, of every plugin or of those named."""
    if interactive and as_json:
        fail("-i shows a table that changes, --json prints once; say one of them", 2)
    if interactive and not can_draw():
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
        from .commands.table import printed

        say(printed(table))


@main.command(short_help="Replace the workers of a running host.")
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...", shell_complete=names_from("resetter.List"))
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
        from .commands.table import NOBODY

        say(NOBODY)
    failed = [name for name in plugins or known if not _reset(host, name, timeout)]
    sys.exit(1 if failed else 0)


@main.command(short_help="Show mail as it comes in on a running host.")
@finds_host
@click.option("-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True, help="How many of the past.")
@click.option("--once", is_flag=True, help="Print these and end.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@one_sentence
def tail(host: Running, lines: int, once: bool, as_json: bool) -> None:
    """Show mail as it comes in on a running host, until Ctrl+C: from, to, subject, size, and what the client was told.

    The host remembers the last smtp.history messages, without their contents.
    """
    from .commands import tail as tails
    from .rpc.client import ReconnectingClient

    def show(mail: Any) -> bool:
        text = json.dumps(mail) if as_json else tails.line(mail)
        return say(text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))

    client = ReconnectingClient(lambda: host.connect(tails.ANSWER_TIMEOUT))
    with closing(client), suppress(KeyboardInterrupt):
        known = tails.past(client)
        shown = all(show(mail) for mail in known["messages"][max(0, len(known["messages"]) - lines) :])
        if once or not shown:
            return
        for mail in tails.follow(client, known, lambda: click.echo(f"rrpy: {AWAY}", err=True)):
            if not show(mail):
                return


@main.command(short_help="Stop the host that runs with -p in this folder.")
@workdir_option
@click.option("--timeout", type=SECONDS, default=60.0, show_default=True, help="Seconds to wait for its end.")
@one_sentence
def stop(workdir: str | None, timeout: float) -> None:
    """Stop the host that runs with -p in this folder, gracefully, and wait for its end."""
    work_in(workdir)
    from .container.pidfile import stop_host

    stop_host(Path(PID_FILE), timeout)


@main.command(short_help="Write a configuration to start with.")
@click.argument("file", default=CONFIG, shell_complete=files)
@click.option("--force", is_flag=True, help="Also over a file that is there.")
@one_sentence
def init(file: str, force: bool) -> None:
    """Write a configuration to start with into FILE, rr.yaml by default: every key, with what it means."""
    import shlex

    from .commands.template import template, write_template

    write_template(Path(file), template(default_plugins()), force=force)
    where = "" if file == CONFIG else f" -c {shlex.quote(file)}"
    say(f"{file} is written; look through it, then run the host: rrpy serve{where}")


@main.group()
def config() -> None:
    """Check a configuration, or describe it to an editor."""


@config.command(short_help="Say all that is wrong with a configuration.")
@click.argument("file", required=False, shell_complete=files)
@config_option
@override_option
@workdir_option
@dotenv_option
@click.pass_context
@one_sentence
def check(
    context: click.Context,
    file: str | None,
    config: str,
    overrides: Sequence[str],
    workdir: str | None,
    dotenv: str | None,
) -> None:
    """Say all that is wrong with the configuration, FILE or that of -c, without serving anything.

    It is read as `serve` reads it, with the plugins of your own. What only shows when plugins serve is not looked at:
    a port that is taken, a worker that does not start. Exit code 2: something is wrong.
    """
    if file is not None:
        if context.get_parameter_source("config") is not ParameterSource.DEFAULT:
            fail(f"the file is named twice, as {file} and by -c {config}; say one of them", 2)
        config = file
    work_in(workdir)
    from .commands.check import check_file

    report = check_file(config, default_plugins(), overrides=overrides, dotenv=dotenv)
    for problem in report.problems:
        click.echo(f"rrpy: {problem}", err=True)
    if report.problems:
        sys.exit(2)
    plugins = f"plugins {', '.join(report.plugins)}" if report.plugins else "no plugins"
    say(f"{config} is fine: {plugins}")


@config.command(short_help="Print a JSON Schema of the configuration.")
@click.option(
    "-c", "--config", metavar="FILE", shell_complete=files, help="A file whose own plugins are described too."
)
@workdir_option
@one_sentence
def schema(config: str | None, workdir: str | None) -> None:
    """Print a JSON Schema of the configuration, which lets an editor complete, explain and check it."""
    work_in(workdir)
    from .commands.schema import schema_for

    say(json.dumps(schema_for(default_plugins(), config), indent=2, ensure_ascii=False))


@main.command(short_help="Print a script that completes rrpy with TAB.")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script that completes commands, options, keys, methods and plugins with TAB in this SHELL.

    \b
    bash: eval "$(rrpy completion bash)"      in ~/.bashrc
    zsh:  eval "$(rrpy completion zsh)"       in ~/.zshrc, behind compinit
    fish: rrpy completion fish | source       in ~/.config/fish/config.fish
    """  # noqa: D301 - click reads the backspace character
    say(script(main, shell))


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


def _watch(host: Running, plugins: Sequence[str]) -> None:
    from .commands.live import plugins_of, watch
    from .rpc.client import ReconnectingClient

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an error in the middle would leave the terminal as it is
    client = ReconnectingClient(lambda: host.connect(LIVE_TIMEOUT))
    with closing(client), suppress(KeyboardInterrupt):
        try:
            watch(lambda: plugins_of(client, plugins))
        except OSError as error:
            fail_to_print(error)
