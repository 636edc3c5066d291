"""A log that a test configures, and its lines; values and texts that are hard to write on a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rrpy.container import log
from rrpy.container.log import LogConfig, configure

HOSTILE = [
    "a\nb",
    "a\r\nb",
    "\x1b[2Jx",
    "\x00",
    "\u2028",
    "\u202e",
    "\x85",
    "\x7f",
    "\ud800",
    "ü\t",
    '"',
    "\\",
    "",
    " ",
]


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def itself() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def json_to(path: Path, **more: Any) -> None:
    configure(LogConfig(mode="production", output=str(path), **more))


def console_to(path: Path, **more: Any) -> None:
    configure(LogConfig(mode="development", output=str(path), **more))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(path).split("\n")[:-1]]


def said(path: Path) -> str:
    log.flush()
    with path.open(newline="") as file:
        return file.read()
