"""Listening on an address: which ones are allowed, and a unix socket's file.

What we want of the file: it is 0600 from its first moment, a dead host's file is no obstacle, a living host's file is
never taken, and at the end our own goes and nobody else's. So the umask is narrowed around `bind` (synchronous: no
other task runs in between), a file is tried with `connect` before it is replaced, and at the end its inode is compared
while our socket still holds it, which keeps the number from being given to a new file.
What can still fail: two hosts that start on one dead file in the same millisecond.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from .address import Address, TCPAddress, UnixAddress
from .errors import ListenError, reason_of

OnConnect = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]

_PRIVATE = 0o177
_LIVE = {0, errno.EAGAIN}  # EAGAIN: it listens, but its queue is full


def resolve(address: Address) -> Address:
    """Return the address with its host name replaced by a number, so that what is checked is what is bound.

    A name with several numbers gives the first IPv4 one, as Go's listener does. Asks the system's resolver.
    Raises ValueError, in one sentence, when that knows no such name.
    """
    if isinstance(address, UnixAddress):
        return address
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"the host name {address.host!r} cannot be resolved: {reason_of(error)}") from error
    numbers = [str(sockaddr[0]) for *_, sockaddr in found]
    return address._replace(host=next((number for number in numbers if ":" not in number), numbers[0]))


def is_loopback(address: Address) -> bool:
    """Say whether only this machine can reach a resolved address."""
    if isinstance(address, UnixAddress):
        return True
    number = ipaddress.ip_address(address.host)
    mapped = number.ipv4_mapped if isinstance(number, ipaddress.IPv6Address) else None
    return (mapped or number).is_loopback


class Listener:
    """A bound socket. `address`: the real one, with the port that port 0 became. `close` it."""

    def __init__(self, address: Address) -> None:
        """Bind. Raises ListenError."""
        self._file: os.stat_result | None = None
        self._server: asyncio.Server | None = None
        try:
            if isinstance(address, UnixAddress):
                self._socket = _bind_unix(address)
                self._file = Path(address.path).lstat()
                self.address: Address = address
            else:
                self._socket = _bind_tcp(address)
                self.address = address._replace(port=self._socket.getsockname()[1])
        except OSError as error:
            raise ListenError(str(address), error) from error

    async def start(self, on_connect: OnConnect) -> None:
        """Listen: `on_connect` is called with every connection's streams. Raises ListenError."""
        serve = asyncio.start_unix_server if isinstance(self.address, UnixAddress) else asyncio.start_server
        try:
            self._server = await serve(on_connect, sock=self._socket)
        except OSError as error:
            raise ListenError(str(self.address), error) from error

    def close(self) -> None:
        """Stop listening and remove the socket's file, if it is still ours. Connections stay. Idempotent."""
        if self._file is not None and isinstance(self.address, UnixAddress):
            _remove(Path(self.address.path), self._file)
            self._file = None
        if self._server is not None:
            self._server.close()
        self._socket.close()


def _bind_tcp(address: TCPAddress) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _bind_unix(address: UnixAddress) -> socket.socket:
    _replace_stale(address)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_PRIVATE)
    try:
        listener.bind(address.path)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _replace_stale(address: UnixAddress) -> None:
    """Remove the socket file of a host that is gone; raise ListenError for a file that is anything else."""
    path = Path(address.path)
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(str(address), "there is a file of that name which is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        result = probe.connect_ex(address.path)
    if result in _LIVE:
        raise ListenError(str(address), "another process is listening there")
    if result != errno.ECONNREFUSED:
        raise OSError(result, os.strerror(result))
    _remove(path, found)


def _remove(path: Path, ours: os.stat_result) -> None:
    try:
        found = path.lstat()
        if (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino):
            path.unlink()
    except FileNotFoundError:
        pass
