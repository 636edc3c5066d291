"""The commented rr.yaml that `rrpy init` writes: the one that ships with rrpy, so that one text is kept true."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from .errors import ConfigError

NAME = "rr.yaml"


def template() -> str:
    """Return the text: every key, with its default and what it means."""
    return (files(__package__.rpartition(".")[0]) / NAME).read_text(encoding="utf-8")


def write_template(path: Path, *, force: bool) -> None:
    """Write the text to a file. `force`: also over one that is there. Raises ConfigError."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError:
        raise ConfigError(f"{path} is there already; write it anew with --force, or name another file") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from None
