"""The commented rr.yaml that `rrpy init` writes: the one that ships with rrpy, so that one text is kept true."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from ..container.errors import ConfigError, reason_of

NAME = "rr.yaml"


def template() -> str:
    """Return the text: every key, with its default and what it means."""
    return (files(__package__.rpartition(".")[0]) / NAME).read_text(encoding="utf-8")


def write_template(path: Path, *, force: bool) -> None:
    """Write the text to a file, whole or not at all. `force`: also over one that is there. Raises ConfigError."""
    try:
        if force:
            _replace(path)
        else:
            _create(path)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; write it anew with --force, or name another file") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {reason_of(error)}") from None


def _create(path: Path) -> None:
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(template())
            file.flush()
            os.fsync(file.fileno())  # a disk that is full may say so no earlier
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _replace(path: Path) -> None:
    """Write beside the file and rename: the old one is there until the new one is whole."""
    if path.exists() and not path.is_file():  # a terminal or a pipe is written to, never replaced
        path.write_text(template(), encoding="utf-8")
        return
    path = Path(os.path.realpath(path))  # a link stays, and what it leads to is written
    beside = path.with_name(f".rrpy-{secrets.token_hex(8)}")
    _create(beside)
    try:
        if path.exists():
            before = path.stat()
            with suppress(PermissionError):  # only root may give a file away
                os.chown(beside, before.st_uid, before.st_gid)
            beside.chmod(stat.S_IMODE(before.st_mode))
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
