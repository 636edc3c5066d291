"""Addresses as the configuration and the command line write them: `tcp://host:port`, `tcp://[v6]:port`, `unix:///path`.

Standard library only and quick to import, for the client behind `rrpy rpc`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_TCP = re.compile(r"tcp://(?:\[(?P<v6>[0-9a-fA-F:.%\w]+)\]|(?P<host>[^\s:/\[\]@]+)):(?P<port>[0-9]{1,5})")
_UNIX = re.compile(r"unix://(?P<path>[^\x00]+)")
_MAX_PORT = 0xFFFF


class TCPAddress(NamedTuple):
    """A TCP address. `host`: a name or a number, without brackets; `port`: 0 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"


class UnixAddress(NamedTuple):
    """A unix socket. `path`: absolute."""

    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


Address = TCPAddress | UnixAddress


def parse_address(url: str) -> Address:
    """Return the address that `url` says; a unix path that is relative counts from the current folder.

    Raises ValueError, in one sentence, for anything else.
    """
    if found := _UNIX.fullmatch(url):
        return UnixAddress(str(Path(found["path"]).absolute()))
    if (found := _TCP.fullmatch(url)) and int(found["port"]) <= _MAX_PORT:
        return TCPAddress(found["v6"] or found["host"], int(found["port"]))
    raise ValueError(f"an address is written tcp://host:port or unix:///path, got {url!r}")
