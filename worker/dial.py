"""The relay over a socket: the worker connects to the host, at the address in RR_RELAY."""

from __future__ import annotations

import socket


def dial(address: str) -> int:
    """Connect to `tcp://host:port`, `tcp://[ipv6]:port` or `unix://path` and return the descriptor.

    Raises ValueError for any other address, OSError when no host answers there.
    """
    scheme, _, rest = address.partition("://")
    if scheme == "unix" and rest:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(rest)
        except BaseException:
            connection.close()
            raise
        return connection.detach()
    host, _, port = rest.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if scheme != "tcp" or not host or not (port.isascii() and port.isdecimal() and int(port) < 65536):
        raise ValueError("it is not pipes, tcp://host:port or unix://path")
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    )  # a frame is written whole: there is no more to join to it
    return connection.detach()
