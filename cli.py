"""The command line, and the composition root: the one place that knows which plugins a host has.

A command is a function here with its options; what it does is in `commands/`, or in the host. Imports are inside the
functions: `rrpy --help` and `rrpy rpc` must not wait for modules that only `serve` needs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from .commands.completion import SHELLS, files, script
from .commands.console import complain, errors_as_sentences, fail, open_standard_streams, say, work_in
from .commands.mail import MAIL_COMMANDS
from .commands.options import (
    CONFIG,
    SECONDS,
    Commands,
    config_option,
    dotenv_option,
    override_option,
    serve_options,
    workdir_option,
)
from .commands.running import RunningHost, host_options, names_from
from .container.errors import HostError
from .container.text import printable, printable_json
from .container.version import VERSION

if TYPE_CHECKING:
    from .container.protocols import Plugin

PID_FILE = ".pid"


def default_plugins() -> list[Plugin]:
    """Return new instances of the host's own plugins, in the order in which they start if no dependency decides."""
    from .inbox.plugin import InboxPlugin
    from .jobs.drivers.nats.driver import NatsDriver
    from .jobs.plugin import JobsPlugin
    from .ops.metrics import MetricsPlugin
    from .ops.status import StatusPlugin
    from .rpc.plugin import RPCPlugin
    from .smtp_plugin.delivery.jobs import JOB, request_of
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
        NatsDriver(),
        JobsPlugin({JOB: request_of}),
        InboxPlugin(),
    ]


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "obj": default_plugins},
)
@serve_options
@click.version_option(VERSION, "-v", "--version", message="%(prog)s %(version)s")
def main(**_: object) -> None:
    """Catch the mail of your application; run plugins and pools of worker processes, RoadRunner's way.

    \b
    rrpy catch                          catch mail and show it in a browser
    rrpy send                           send a mail to it
    rrpy catch -- pytest                catch the mail of a command
    rrpy serve -c rr.yaml               run the host
    rrpy rpc smtp.ListConnections       call a method of a running host
    rrpy workers                        see what its workers do
    rrpy reset                          replace its workers
    rrpy tail                           see mail as it arrives
    rrpy init                           write a configuration to start with
    rrpy config check                   list its errors
    rrpy hash                           hash a password for it

    These options belong to commands; they may stand before the command and after it.

    Exit codes: 0 success, 1 a plugin failed or a method answered with an error, 2 the command line or the
    configuration is wrong, or no host answers.
    """  # noqa: D301 - click reads the backspace character
    open_standard_streams()


@main.command()
@serve_options
@errors_as_sentences
def serve(
    config: str,
    overrides: Sequence[str],
    workdir: str | None,
    dotenv: str | None,
    debug: bool,
    silent: bool,
    pid: bool,
) -> None:
    """Run the host until a signal stops it.

    The first Ctrl+C (or SIGTERM, SIGQUIT) ends it gracefully, within endure.grace_period; the second at once. SIGHUP
    opens log files and certificates anew. SIGUSR2 replaces the workers, as `rrpy reset` does.
    """
    from .container.signals import hold

    hold()
    work_in(workdir)
    from contextlib import nullcontext

    from .container.config import Config
    from .container.container import Container
    from .container.loader import load_plugins
    from .container.pidfile import PidFile

    configuration = Config.load(config, overrides=overrides, dotenv=dotenv)
    plugins = load_plugins(configuration.plugins, Path(config).parent)
    container = Container(plugins, configuration, optional=default_plugins())
    with PidFile(Path(PID_FILE)) if pid else nullcontext() as file:
        code = container.run(debug=debug, silent=silent, status=file.say if file else None)
    sys.exit(code)


@main.command(
    "catch", short_help="Catch mail and show it in a browser.", context_settings={"allow_interspersed_args": False}
)
@click.option(
    "--smtp", default="localhost:1025", show_default=True, metavar="ADDRESS", help="Where mail goes; `:0` picks a port."
)
@click.option(
    "--http",
    default="localhost:8025",
    show_default=True,
    metavar="ADDRESS",
    help="Where the page is; `:0` picks a port.",
)
@click.option(
    "--path", default="", metavar="FILE", shell_complete=files, help="Keep the mail in this file, not in memory."
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option(
    "--max-messages",
    type=click.IntRange(min=0),
    metavar="N",
    help="Keep the last N messages; 0 keeps all. Default: 500.",
)
@click.option(
    "--env", "variables", multiple=True, metavar="NAME=TEMPLATE", help="One more variable of COMMAND. May be repeated."
)
@click.option("-v", "--verbose", is_flag=True, help="Log each mail.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@errors_as_sentences
def catch(
    smtp: str,
    http: str,
    path: str,
    open_page: bool,
    max_messages: int | None,
    variables: Sequence[str],
    verbose: bool,
    command: Sequence[str],
) -> None:
    """Catch mail and show it in a browser, without a file and without workers, until Ctrl+C.

    With a COMMAND it catches mail until the command ends: `rrpy catch -- pytest tests/e2e`. The exit code is that of
    the command. When the command fails, the caught mail is listed on stderr.

    The command gets the address in SMTP_HOST, SMTP_PORT, MAIL_HOST, MAIL_PORT, MAILER_DSN, EMAIL_HOST and EMAIL_PORT,
    which frameworks read. RRPY_INBOX is the page. A TEMPLATE of --env may have {host}, {port} and {inbox}, for
    example `--env MAIL_URL=smtp://{host}:{port}`.
    """
    from .container.signals import hold

    hold(1 if command else 0)
    from .commands.catch import CatchPlugin, configuration, host_of, in_options, templates
    from .container.config import Config
    from .container.container import Container

    hosts = (host_of(smtp), host_of(http))
    plugin = CatchPlugin(command, templates(variables), hosts, open_page=open_page)
    config = Config.from_dict(configuration(smtp, http, path, max_messages, verbose), "the command line")
    container = Container([plugin], config, optional=default_plugins())
    plugin.end_host = container.stop
    try:
        code = container.run()
    except HostError as error:
        fail(in_options(str(error)), error.exit_code)
    sys.exit(plugin.exit_code or code)


@main.command(short_help="Call a method of a running host.")
@click.argument("method", shell_complete=names_from("rpc.List"))
@click.argument("argument", required=False)
@host_options
@click.option("--timeout", type=SECONDS, default=60.0, show_default=True, help="Seconds to wait for the answer.")
@errors_as_sentences
def rpc(host: RunningHost, method: str, argument: str | None, timeout: float) -> None:
    """Call METHOD of a running host, for example smtp.ListConnections, and print its result as JSON.

    ARGUMENT is JSON where it parses as JSON, else a string; without one it is `true`. The result is indented on a
    terminal and one line in a pipe. Exit code 1: the method answered with an error; 2: no host answers there.
    """
    from .commands.call import call

    call(host, method, argument, timeout)


@main.command(short_help="Show the workers of a running host.")
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...", shell_complete=names_from("informer.List"))
@host_options
@click.option("-i", "--interactive", is_flag=True, help="Update the table every second, until Ctrl+C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@errors_as_sentences
def workers(host: RunningHost, plugins: Sequence[str], interactive: bool, as_json: bool) -> None:
    """Show the workers of a running host: of these plugins, or of all. Show its pipelines of jobs too."""
    from .commands.workers import show_workers

    show_workers(host, plugins, interactive=interactive, as_json=as_json)


@main.command(short_help="Replace the workers of a running host.")
@click.argument("plugins", nargs=-1, metavar="[PLUGIN]...", shell_complete=names_from("resetter.List"))
@host_options
@click.option("--timeout", type=SECONDS, default=120.0, show_default=True, help="Seconds for each plugin.")
@errors_as_sentences
def reset(host: RunningHost, plugins: Sequence[str], timeout: float) -> None:
    """Replace the workers of a running host, of these plugins or of all, one plugin after another.

    No request fails: a new worker is ready before the old one leaves. Exit code 1: an old worker stays.
    """
    from .commands.reset import reset_plugins

    sys.exit(reset_plugins(host, plugins, timeout))


@main.command(short_help="Show the pipelines of jobs of a running host.")
@click.argument("action", required=False, type=click.Choice(["dead", "retry", "purge"]))
@click.argument("pipeline", required=False)
@host_options
@click.option("--list", "_list", is_flag=True, help="Show the pipelines, which is the default.")
@click.option("--pause", metavar="NAMES", help="Give workers no more jobs of these pipelines: a,b.")
@click.option("--resume", metavar="NAMES", help="Give workers jobs of these pipelines again.")
@click.option("--destroy", metavar="NAMES", help="End these pipelines, which jobs.Declare has made.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@errors_as_sentences
def jobs(
    host: RunningHost, action: str | None, pipeline: str | None, as_json: bool, _list: bool, **changes: str | None
) -> None:
    """Show the pipelines of jobs of a running host, pause or resume them.

    With an action it shows the dead jobs of a pipeline, puts them into the queue again, or deletes them.
    """
    from .commands.jobs import run_jobs

    given = {name: value for name, value in changes.items() if value is not None}
    run_jobs(host, action, pipeline, given, as_json=as_json)


@main.command(short_help="Show new mail of a running host.")
@host_options
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True, help="The number of past messages."
)
@click.option("--once", is_flag=True, help="Print past messages and end.")
@click.option("--refused", is_flag=True, help="Print only what was refused.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each line.")
@errors_as_sentences
def tail(host: RunningHost, lines: int, once: bool, refused: bool, as_json: bool) -> None:
    """Show new mail of a running host, until Ctrl+C: time, sender, recipients, subject, size, and the reply.

    Refused commands, and sessions that the host ends, have a line too. The host remembers the last smtp.history
    messages, without their contents, and as many refusals.
    """
    from .commands.tail import show_mail

    show_mail(host, lines, once=once, refused=refused, as_json=as_json)


for mail_command in MAIL_COMMANDS:
    main.add_command(mail_command)


@main.command(short_help="Stop the host that runs with -p in this folder.")
@workdir_option
@click.option("--timeout", type=SECONDS, default=60.0, show_default=True, help="Seconds to wait for its end.")
@errors_as_sentences
def stop(workdir: str | None, timeout: float) -> None:
    """Stop the host that runs with -p in this folder, gracefully, and wait for its end."""
    work_in(workdir)
    from .container.pidfile import stop_host

    stop_host(Path(PID_FILE), timeout, complain)


@main.command(short_help="Write a configuration to start with.")
@click.argument("file", default=CONFIG, shell_complete=files)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--catch", is_flag=True, help="Write the few lines of a host that only catches mail.")
@errors_as_sentences
def init(file: str, force: bool, catch: bool) -> None:
    """Write a configuration to start with into FILE, rr.yaml by default: every key, with its meaning."""
    from .commands.init import CATCHER, write_configuration
    from .commands.template import template

    write_configuration(file, CATCHER if catch else template(default_plugins()), force=force)


@main.command("hash", short_help="Hash a password for the configuration.")
@click.option("--token", is_flag=True, help="Make a random token, and print it with its hash.")
@errors_as_sentences
def hash_command(token: bool) -> None:
    """Print the hash of a password, for `inbox.users`.

    The terminal asks for the password twice and does not show it. Without a terminal it is read from stdin, up to the
    end of its line. With --token the command makes a token for `inbox.tokens`; only the hash of it is kept.
    """
    from .commands.hash import print_hash, print_token

    if token:
        print_token()
    else:
        print_hash()


@main.group()
def config() -> None:
    """Check a configuration, or describe it to an editor."""


@config.command(short_help="List every error of a configuration.")
@click.argument("file", required=False, shell_complete=files)
@config_option
@override_option
@workdir_option
@dotenv_option
@click.pass_context
@errors_as_sentences
def check(
    context: click.Context,
    file: str | None,
    config: str,
    overrides: Sequence[str],
    workdir: str | None,
    dotenv: str | None,
) -> None:
    """List every error of the configuration, FILE or that of -c, without serving anything.

    The command reads it as `serve` does, with the plugins of your own. It does not find errors of a start: a port in
    use, a worker that does not start. Exit code 2: there are errors.
    """
    if file is not None:
        if context.get_parameter_source("config") is not ParameterSource.DEFAULT:
            fail(f"the file is named twice, as {file} and by -c {config}; say one of them", 2)
        config = file
    work_in(workdir)
    from .commands.check import check_file

    report = check_file(config, default_plugins(), overrides=overrides, dotenv=dotenv)
    if report.problems:
        complain(*report.problems)
        sys.exit(2)
    plugins = f"plugins {', '.join(report.plugins)}" if report.plugins else "no plugins"
    say(printable(f"{config} is fine: {plugins}"))


@config.command(short_help="Print a JSON Schema of the configuration.")
@click.option("-c", "--config", metavar="FILE", shell_complete=files, help="Also describe the plugins of this file.")
@workdir_option
@errors_as_sentences
def schema(config: str | None, workdir: str | None) -> None:
    """Print a JSON Schema of the configuration: an editor completes, explains and checks rr.yaml with it."""
    work_in(workdir)
    from .commands.schema import schema_for

    say(printable_json(json.dumps(schema_for(default_plugins(), config), indent=2, ensure_ascii=False)))


@main.command(short_help="Print a script that completes rrpy with TAB.")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a script that completes commands, options, keys, methods and plugins with TAB in this SHELL.

    \b
    bash: eval "$(rrpy completion bash)"      in ~/.bashrc
    zsh:  eval "$(rrpy completion zsh)"       in ~/.zshrc, after compinit
    fish: rrpy completion fish | source       in ~/.config/fish/config.fish
    """  # noqa: D301 - click reads the backspace character
    say(script(main, shell))
