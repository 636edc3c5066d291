"""A bound socket for a plugin that listens: TCP, a unix socket with its file, or one that systemd has bound.

What we want of the file: it is 0600 from its first moment. The file of a dead host is replaced, that of a living host
is not. At the end we remove our own file only. So the umask is narrowed around `bind` (synchronous: no other
task runs in between), and `connect` tries a file before it is replaced. At the end the inode is compared while our
socket still holds it, so that no new file has its number.
A socket of systemd's is taken as it is, and systemd removes its file.
What can still fail: two hosts that start on one dead file in the same millisecond.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Any

from ..errors import ConfigError, HostError, reason_of
from .activation import PASSED
from .address import (
    Address,
    ListenAddress,
    SystemdAddress,
    TCPAddress,
    UnixAddress,
    parse_address,
    parse_systemd,
)

_PRIVATE = 0o177
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_LIVE = {0, errno.EAGAIN}  # EAGAIN: it listens, but its queue is full


class ListenError(HostError):
    """A plugin cannot listen on its address. `owner`: the plugin; `reason`: the system's error, or a sentence."""

    def __init__(self, owner: str, address: ListenAddress, reason: OSError | str) -> None:
        super().__init__(f"{owner} cannot listen on {address}: {reason_of(reason)}")


def is_loopback(address: Address) -> bool:
    """Return whether only this machine can reach the address: every number of its host name is loopback.

    Asks the resolver when the host is a name. Raises ValueError, in one sentence, when the resolver does not know it.
    """
    if isinstance(address, UnixAddress):
        return True
    return all(_is_loopback(host) for host in _resolve(address))


def pinned(address: Address) -> Address:
    """Return the address with a number for its host name, so that the address checked is the address bound.

    A name with several numbers gives the first IPv4 one, as Go's listener does. Raises ValueError as `is_loopback`.
    """
    if isinstance(address, UnixAddress):
        return address
    hosts = _resolve(address)
    return address._replace(host=next((host for host in hosts if ":" not in host), hosts[0]))


def listen_address(value: str, key: str) -> ListenAddress:
    """Return the address of a setting: `host:port`, `[ipv6]:port`, `unix:///path` or `systemd:NAME`.

    Its host becomes a number. A socket of systemd's is looked up when it is bound, so that a configuration can be
    checked outside its unit.
    `key`: the setting's full path, for the error. Raises ConfigError.
    """
    if passed := parse_systemd(value):
        return passed
    try:
        address = parse_address(value if value.startswith("unix://") else f"tcp://{value}")
    except ValueError:
        hint = "it is written host:port, [ipv6]:port, unix:///path or systemd:NAME"
        raise ConfigError(f"is {value!r}", key=key, hint=hint) from None
    try:
        return pinned(address)
    except ValueError as error:
        raise ConfigError(f"is {value!r}", key=key, hint=str(error)) from None


class BoundSocket:
    """A bound socket that does not accept yet. `address`: the real one, with the port that port 0 became.

    `owner`: the plugin, for the error. The caller closes it, also after it gave the socket to a server.
    """

    def __init__(self, address: ListenAddress, *, owner: str) -> None:
        """Bind, or take the socket that systemd has bound. Raises ListenError."""
        self._file: os.stat_result | None = None
        self.address: Address
        try:
            if isinstance(address, SystemdAddress):
                self.socket, self.address = _take(address, owner)
            elif isinstance(address, UnixAddress):
                self.socket = _bind_unix(address, owner)
                self._file = Path(address.path).lstat()
                self.address = address
            else:
                self.socket = _bind_tcp(address)
                self.address = address._replace(port=self.socket.getsockname()[1])
        except OSError as error:
            raise ListenError(owner, address, error) from error

    @property
    def unix_options(self) -> dict[str, Any]:
        """The options of `create_unix_server` that leave the file to `close`; Python 3.13 would remove it."""
        return {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}

    def close(self) -> None:
        """Stop listening and remove the socket's file, if it is still ours. Connections stay. Idempotent."""
        if self._file is not None and isinstance(self.address, UnixAddress):
            _remove(Path(self.address.path), self._file)
            self._file = None
        self.socket.close()


def passed_address(address: SystemdAddress, *, owner: str) -> Address:
    """Return the address of a socket of systemd's before a plugin takes it. Raises ListenError."""
    try:
        return PASSED.address(address.name)
    except ValueError as error:
        raise ListenError(owner, address, str(error)) from error


def _take(address: SystemdAddress, owner: str) -> tuple[socket.socket, Address]:
    try:
        return PASSED.take(address.name)
    except ValueError as error:
        raise ListenError(owner, address, str(error)) from error


def _resolve(address: TCPAddress) -> list[str]:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ValueError(f"the host name {address.host!r} cannot be resolved: {error}") from error
    return [str(sockaddr[0]) for *_, sockaddr in found]


def _is_loopback(host: str) -> bool:
    number = ipaddress.ip_address(host)
    mapped = number.ipv4_mapped if isinstance(number, ipaddress.IPv6Address) else None
    return (mapped or number).is_loopback


def _bind_tcp(address: TCPAddress) -> socket.socket:
    # Without the protocol's number asyncio takes the socket for something else and leaves Nagle's delay on.
    listener = socket.socket(
        socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address.host, address.port))
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def _bind_unix(address: UnixAddress, owner: str) -> socket.socket:
    _replace_stale(address, owner)
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


def _replace_stale(address: UnixAddress, owner: str) -> None:
    """Remove the socket file of a host that is gone. Raises ListenError for any other file."""
    path = Path(address.path)
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(owner, address, "there is a file of that name which is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        result = probe.connect_ex(address.path)
    if result in _LIVE:
        raise ListenError(owner, address, "another process is listening there")
    if result != errno.ECONNREFUSED:
        raise OSError(result, os.strerror(result))
    _remove(path, found)


def _remove(path: Path, ours: os.stat_result) -> None:
    """Remove the file if it is still ours. The folder's descriptor keeps both looks in one folder."""
    try:
        folder = os.open(path.parent, _FOLDER)
    except OSError:  # the folder is gone, or the process has no descriptor left: the next host removes the file
        return
    try:
        if os.path.samestat(os.stat(path.name, dir_fd=folder, follow_symlinks=False), ours):
            os.unlink(path.name, dir_fd=folder)
    except FileNotFoundError:
        pass
    finally:
        os.close(folder)
