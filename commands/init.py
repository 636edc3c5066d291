"""`rrpy init`: write a configuration to start with."""

from __future__ import annotations

import os
import secrets
import shlex
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..container.errors import ConfigError, reason_of
from ..container.text import printable
from .console import say
from .options import CONFIG

CATCHER: Final = """\
# A host that catches mail: `rrpy serve -c rr.yaml`. `rrpy init` writes every other key, with its meaning.
version: '3'

# Programs send their mail here. Every password is right, and nothing leaves this machine.
smtp:
  addr: localhost:1025

# The page with the mail: http://localhost:8025
inbox:
  address: localhost:8025
  # path: mail.db       # a file that keeps the mail over a restart
  # max_messages: 500   # the newest ones stay; 0 means no limit
"""
"""The configuration of `rrpy catch`, as a file."""


def write_configuration(file: str, text: str, *, force: bool) -> None:
    """Write a configuration, and print the command that runs a host with it. `force`: replace an existing file."""
    write_file(Path(file), text, force=force)
    option = "" if file == CONFIG else f" -c {shlex.quote(file)}"
    say(printable(f"{file} is written; look through it, then run the host: rrpy serve{option}"))


def write_file(path: Path, text: str, *, force: bool) -> None:
    """Write a text to a file, whole or not at all. `force`: replace an existing file. Raises ConfigError."""
    try:
        if force:
            _replace(path, text)
        else:
            _create(path, text)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; write it anew with --force, or name another file") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {reason_of(error)}") from None


def _create(path: Path, text: str, like: os.stat_result | None = None) -> None:
    """Write a new file, with the owner and the mode of the file `like`."""
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
            if like is not None:  # by descriptor: the folder's owner may swap the file for a link
                with suppress(PermissionError):  # only root may give a file away
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
            os.fsync(file.fileno())  # a disk that is full may say so no earlier
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _replace(path: Path, text: str) -> None:
    """Write beside the file and rename: the old one is there until the new one is whole."""
    if path.exists() and not path.is_file():  # a terminal or a pipe is written to, never replaced
        path.write_text(text, encoding="utf-8")
        return
    path = Path(os.path.realpath(path))  # a link stays, and what it leads to is written
    beside = path.with_name(f".rrpy-{secrets.token_hex(8)}")
    _create(beside, text, path.stat() if path.exists() else None)
    try:
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
