"""The commands about mail and its server. What they do is in the module of each name.

Imports are inside the functions: `rrpy --help` must not wait for them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from ..container.errors import HostError
from .completion import files, folders
from .console import errors_as_sentences, fail
from .options import smtp_option
from .running import RunningHost, host_options
from .wait_command import wait


@click.command(short_help="Show and change how a running host fails on purpose.")
@click.argument("action", required=False, type=click.Choice(["add", "remove", "clear"]))
@click.argument("words", nargs=-1, metavar="[WORD]...")
@host_options
@click.option("--mailbox", metavar="NAME", help="The rules of this mailbox alone.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@errors_as_sentences
def rules(host: RunningHost, action: str | None, words: Sequence[str], mailbox: str | None, as_json: bool) -> None:
    """Show the rules by which the SMTP server of a running host fails on purpose, with their hits.

    add takes KEY=VALUE words, such as at=rcpt "reply=452 4.2.2 Mailbox full", or the name of a preset. remove takes
    numbers of rules. clear removes all rules.
    """
    from .rules import run_rules

    run_rules(host, action, words, mailbox, as_json=as_json)


@click.command(
    short_help="Send the mail on stdin, as sendmail(8) does.",
    context_settings={
        "help_option_names": ["--help"],  # -h is an option of sendmail
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
    },
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sendmail(arguments: Sequence[str]) -> None:
    """Send the mail on stdin, as Postfix's sendmail does, for PHP's sendmail_path, cron and git.

    The options are those of sendmail(1): -t takes the recipients from the headers, -i takes a line with a dot
    as text, -f names the sender, -bs speaks SMTP. The server is that of SMTP_HOST and SMTP_PORT, by default
    localhost:1025.

    The exit codes are those of sysexits.h. 64: the command line is wrong; 65: the mail is wrong; 67: the server
    refused a recipient; 69: it refused the mail; 75: try again later.
    """
    from .sendmail import submit_stdin as run
    from .submission import EX_USAGE, SubmissionError, server_address

    try:
        code = run(arguments, server_address(None), sys.stdin.buffer, sys.stdout.buffer)
    except SubmissionError as error:
        fail(str(error), error.code)
    except HostError as error:
        fail(str(error), EX_USAGE)
    sys.exit(code)


@click.command(short_help="Send a test mail.")
@smtp_option
@click.option(
    "--from",
    "sender",
    default="sender@example.com",
    show_default=True,
    metavar="ADDRESS",
    help="The sender.",
)
@click.option(
    "--to",
    "recipients",
    multiple=True,
    default=["recipient@example.com"],
    show_default=True,
    metavar="ADDRESS",
    help="A recipient. May be repeated.",
)
@click.option("--subject", default="A mail to try your server with", show_default=True, help="The subject.")
@errors_as_sentences
def send(smtp: str | None, sender: str, recipients: Sequence[str], subject: str) -> None:
    """Send a test mail. It has text, HTML with an image in it, and an attachment."""
    from .send import send as run
    from .submission import server_address

    run(server_address(smtp), sender, recipients, subject)


@click.command(short_help="Send the mail in files.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=files)
@smtp_option
@errors_as_sentences
def ingest(paths: Sequence[str], smtp: str | None) -> None:
    """Send the mail at each PATH to a server: a message, an mbox file, a Maildir, or a folder of .eml files.

    The sender is that of Return-Path or From, the recipients are those of To, Cc and Bcc. Exit code 1: the server
    refused a mail; 65: a file is not a mail. The command sends the others.
    """
    from .ingest import ingest as run
    from .submission import server_address

    sys.exit(run(server_address(smtp), paths))


@click.command("check", short_help="Check a mail in a file, without a network.")
@click.argument("file", metavar="FILE", shell_complete=files)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the inbox's API has it.")
def check_mail(file: str, as_json: bool) -> None:
    """Say what is wrong with the mail in FILE, where, and what helps; `-` reads the mail from stdin.

    A finding is an error, a warning or a hint. Exit code 1: there is an error; 2: the file cannot be read.
    """
    from .mail_check import check_file

    sys.exit(check_file(file, as_json=as_json))


@click.command(short_help="Write the mail of an inbox into a folder.")
@click.argument("folder", metavar="FOLDER", shell_complete=folders)
@click.option("--http", "url", default="http://localhost:8025", show_default=True, metavar="URL", help="The inbox.")
@click.option("--mbox", is_flag=True, help="Write one file, mail.mbox, in place of one for each mail.")
@errors_as_sentences
def dump(folder: str, url: str, mbox: bool) -> None:
    """Write every mail of an inbox into FOLDER, as .eml files named by their numbers.

    A mail that is in its file already is left out. The command replaces no file: one with another content is an error.
    The URL of an inbox with a login is http://NAME:PASSWORD@HOST.
    """
    from .dump import dump as run

    run(url, Path(folder), mbox=mbox)


@click.command(short_help="Serve the mail of an inbox to an agent.")
@click.option(
    "--http",
    "--url",
    "url",
    envvar="RRPY_INBOX",
    default="http://localhost:8025",
    show_default=True,
    metavar="URL",
    help="The inbox; or the variable RRPY_INBOX.",
)
@click.option("--token", envvar="RRPY_TOKEN", default="", metavar="TOKEN", help="A token of the inbox; or RRPY_TOKEN.")
@errors_as_sentences
def mcp(url: str, token: str) -> None:
    """Serve the mail of an inbox to an agent, by the Model Context Protocol on stdin and stdout.

    The client of the agent starts this command. The agent lists, searches, reads and awaits mail. Where the inbox has
    inbox.mcp.write, it also deletes mail and changes the rules of failures. The command needs the extra rrpy[mcp].
    """
    from .mcp import serve

    serve(url, token)


MAIL_COMMANDS: Final = (rules, sendmail, send, ingest, check_mail, dump, wait, mcp)
