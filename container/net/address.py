"""Addresses as the configuration and the command line write them: `tcp://host:port`, `tcp://[v6]:port`, `unix:///path`.

To listen, `systemd:NAME` is an address too: the socket of this name that systemd passes to the host.
Standard library only and quick to import, for the client of `rrpy rpc`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

ADDRESS_FORMS: Final = (
    "`host:port`, `[ipv6]:port`, `unix:///path` or `systemd:NAME`. A list names several. `localhost` is 127.0.0.1 and "
    "::1, `*` is every address. Port 0 picks a free port, which the log names."
)
"""How a setting writes the address of a listener; the descriptions of such settings end with it."""

_TCP = re.compile(r"tcp://(?:\[(?P<v6>[0-9a-fA-F:.%\w]+)\]|(?P<host>[^\s:/\[\]@]+)):(?P<port>[0-9]{1,5})")
_UNIX = re.compile(r"unix://(?P<path>[^\x00]+)")
_SYSTEMD = re.compile(r"systemd:(?P<name>[^\x00-\x20\x7f:]{1,255})")
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


class SystemdAddress(NamedTuple):
    """A socket that systemd passes. `name`: the FileDescriptorName= of its unit (systemd.socket(5))."""

    name: str

    def __str__(self) -> str:
        return f"systemd:{self.name}"


Address = TCPAddress | UnixAddress
ListenAddress = Address | SystemdAddress


def parse_address(url: str) -> Address:
    """Return the address of a URL; a relative unix path counts from the current folder.

    Raises ValueError, in one sentence, for any other text.
    """
    if found := _UNIX.fullmatch(url):
        return UnixAddress(str(Path(found["path"]).absolute()))
    if (found := _TCP.fullmatch(url)) and int(found["port"]) <= _MAX_PORT:
        return TCPAddress(found["v6"] or found["host"], int(found["port"]))
    raise ValueError(f"an address is written tcp://host:port or unix:///path, got {url!r}")


def peer_text(peer: object) -> str:
    """Return a socket's peer, as `getpeername` gives it, for people: `192.0.2.1:25`, `[2001:db8::1]:25`, or `unix`."""
    host = peer_host(peer)
    if not isinstance(peer, tuple):
        return "unix"
    return f"[{host}]:{peer[1]}" if ":" in host else f"{host}:{peer[1]}"


def peer_host(peer: object) -> str:
    """Return the number of a socket's peer, by which clients are counted; empty for a unix socket.

    `::ffff:192.0.2.1`, the peer of a socket for both families, is the client 192.0.2.1 (RFC 4291 section 2.5.5.2).
    """
    if not isinstance(peer, tuple):
        return ""
    host = str(peer[0])
    if not host.startswith("::ffff:"):
        return host
    from ipaddress import IPv6Address  # here, because few peers need it

    return str(IPv6Address(host.partition("%")[0]).ipv4_mapped or host)


def parse_systemd(value: str) -> SystemdAddress | None:
    """Return the address `systemd:NAME`, None for any other text."""
    found = _SYSTEMD.fullmatch(value)
    return SystemdAddress(found["name"]) if found else None
