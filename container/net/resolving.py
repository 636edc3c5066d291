"""Host names of addresses to listen on: each becomes the numbers that it stands for."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

from ..errors import reason_of
from .address import Address, TCPAddress, UnixAddress

EVERY: Final = "*"
"""The host that stands for every address of the machine."""
_KNOWN: Final = {EVERY: ("0.0.0.0", "::"), "localhost": ("127.0.0.1", "::1")}  # noqa: S104 - the user asks for it
"""Hosts that need no resolver. `localhost` is both loopback addresses (RFC 6761 section 6.3), of which a client may try
one alone."""


def resolved(address: Address) -> Sequence[Address]:
    """Return the address with each number of its host, IPv4 first, so that the address checked is the address bound.

    Asks the resolver when the host is a name. Raises ValueError, in one sentence, when the resolver does not know it.
    """
    if isinstance(address, UnixAddress):
        return [address]
    return [address._replace(host=host) for host in _KNOWN.get(address.host.lower()) or _resolve(address)]


def is_loopback(address: Address) -> bool:
    """Return whether only this machine can reach the address: every number of its host name is loopback.

    Raises ValueError as `resolved`.
    """
    return all(isinstance(each, UnixAddress) or _is_loopback(each.host) for each in resolved(address))


def _resolve(address: TCPAddress) -> Sequence[str]:
    host, port = address
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        reason = "a part between its dots is empty, or longer than 63 letters"
        raise ValueError(f"the host name {host!r} cannot be resolved: {reason}") from error
    except OSError as error:
        raise ValueError(f"the host name {host!r} cannot be resolved: {reason_of(error)}") from error
    return sorted({str(sockaddr[0]): None for *_, sockaddr in found}, key=lambda number: ":" in number)


def _is_loopback(host: str) -> bool:
    number = ipaddress.ip_address(host)
    mapped = number.ipv4_mapped if isinstance(number, ipaddress.IPv6Address) else None
    return (mapped or number).is_loopback
