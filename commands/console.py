"""The output and the end of a command: results on stdout, one sentence on stderr, an exit code. Quick to import."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

import click

from ..container.errors import HostError, reason_of
from ..container.masking import mask_text
from ..container.text import printable, printable_json

P = ParamSpec("P")
R = TypeVar("R")

STDERR_TIMEOUT: Final = 1.0
"""Seconds that a sentence waits for a reader of stderr."""
_PIECE: Final = 1000
"""Characters in one write: at most 4,000 bytes, which a pipe with any room takes whole (PIPE_BUF)."""


def errors_as_sentences(command: Callable[P, R]) -> Callable[P, R]:
    """Turn a HostError of a command into one sentence on stderr and its exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except HostError as error:
            fail(str(error), error.exit_code)

    return run


def say(text: str) -> bool:
    """Print a result, and return whether stdout has a reader. A full disk is an error; a missing reader is not."""
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
    """Report that stdout cannot be written, and end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    fail(f"cannot print the result: {reason_of(error)}", 1)


def to_json(result: Any) -> str:
    """Return JSON: indented on a terminal, one line in a pipe.

    Escapes stand for what a terminal would obey, and for what stdout cannot encode.
    """
    indent = 2 if sys.stdout.isatty() else None
    text = printable_json(json.dumps(result, indent=indent, ensure_ascii=False))
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return printable_json(json.dumps(result, indent=indent))
    return text


def fail(message: str, code: int) -> NoReturn:
    """Report what is wrong, and end with this exit code."""
    complain(message)
    sys.exit(code)


def complain(*messages: str) -> None:
    """Print each message as one line on stderr, secrets masked. A terminal shows foreign text, and obeys none of it.

    Where nothing reads stderr for `STDERR_TIMEOUT`, the rest is dropped: it must not keep the process from its end.
    """
    for message in messages:
        text = f"rrpy: {printable(mask_text(message))}\n"
        for start in range(0, len(text), _PIECE):
            if not _writable():
                return
            click.echo(text[start : start + _PIECE], err=True, nl=False)


def _writable() -> bool:
    """Return whether stderr takes a piece without blocking, at the latest after `STDERR_TIMEOUT`."""
    try:
        descriptor = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # closed, or replaced by an object without a descriptor
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(STDERR_TIMEOUT * 1000))


def open_standard_streams() -> None:
    """Open /dev/null in place of a closed standard stream: the next open file would take its number, and its output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:  # so the interpreter shows a closed stream
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def work_in(folder: str | None) -> None:
    """Make this folder the current one; None changes nothing."""
    if folder is None:
        return
    try:
        os.chdir(folder)
    except OSError as error:
        fail(f"cannot work in {folder}: {reason_of(error)}", 2)


def can_draw() -> bool:
    """Return whether stdout is a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
