"""The options of `rrpy wait`. What it does is in wait.py."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from .console import errors_as_sentences

_WAIT = click.FloatRange(min=0, max=300)


@click.command(short_help="Wait for a mail of an inbox.")
@click.option("--to", metavar="TEXT", help="A recipient: a part, =whole or ~expression; the same in the next four.")
@click.option("--from", "sender", metavar="TEXT", help="The sender.")
@click.option("--subject", metavar="TEXT", help="The subject.")
@click.option("--body", metavar="TEXT", help="The text.")
@click.option("--header", multiple=True, metavar="NAME:TEXT", help="A header. May be repeated.")
@click.option("--after", metavar="NUMBER", help="Only a later mail: a number, or now.")
@click.option("--order", type=click.Choice(["newest", "oldest"]), help="Which of the mails that are there.")
@click.option("--count", type=click.IntRange(1, 100), help="Wait for this number of mails.")
@click.option("--claim", metavar="NAME", help="No other wait of this name gets the mail.")
@click.option("--mailbox", metavar="NAME", help="The mailbox; without it all.")
@click.option("--none", "none", is_flag=True, help="Succeed when no mail comes.")
@click.option("--within", type=_WAIT, help="Seconds, with --none. Default: 5.")
@click.option("--timeout", type=_WAIT, help="Seconds to wait. Default: 30.")
@click.option("--text", is_flag=True, help="Print sender, recipients, subject and text, in place of JSON.")
@click.option("--code", is_flag=True, help="Print the code.")
@click.option("--link", is_flag=False, flag_value="", metavar="[TEXT]", help="Print the link, or that with this text.")
@click.option(
    "--http",
    "url",
    envvar="RRPY_INBOX",
    default="http://localhost:8025",
    show_default=True,
    metavar="URL",
    help="The inbox; or the variable RRPY_INBOX.",
)
@errors_as_sentences
def wait(
    *,
    url: str,
    none: bool,
    within: float | None,
    timeout: float | None,
    text: bool,
    code: bool,
    link: str | None,
    sender: str | None,
    header: Sequence[str],
    count: int | None,
    **conditions: str | None,
) -> None:
    """Wait for a mail of an inbox, and print it as JSON, for shell scripts.

    Exit code 1: no mail in time, a mail with --none, or no code or link; stderr says what came instead. 2: the command
    line is wrong, or no inbox answers.
    """
    from .wait import Printed
    from .wait import wait as run

    if text + code + (link is not None) + none > 1:
        raise click.UsageError("--text, --code, --link and --none do not go together")
    conditions |= {"from": sender, "none": "1" if none else None}
    given = {**conditions, "header": header, "count": count, "within": within, "timeout": timeout}
    sys.exit(run(url, given, Printed(text, code, link)))
