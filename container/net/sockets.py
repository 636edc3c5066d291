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
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import HostError, reason_of
from .activation import PASSED
from .address import Address, ListenAddress, SystemdAddress, TCPAddress, UnixAddress

_PRIVATE = 0o177
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_LIVE = {0, errno.EAGAIN}  # EAGAIN: it listens, but its queue is full


class Refusal(NamedTuple):
    """An address that a plugin cannot have. `owner`: the setting's full path, or the plugin.

    `number`: of the system's error, 0 for another one.
    """

    owner: str
    address: ListenAddress
    reason: str
    number: int = 0

    @classmethod
    def of(cls, owner: str, address: ListenAddress, error: OSError) -> Refusal:
        """Return the refusal for an error of the system."""
        return cls(owner, address, reason_of(error), error.errno or 0)


class ListenError(HostError):
    """Addresses that cannot be listened on. `number`: of the system's error for the first one, 0 for another one.

    Where an address is in use, the text has the options that choose another one.
    """

    def __init__(self, *refusals: Refusal) -> None:
        by_reason: dict[str, list[str]] = {}
        for each in refusals:
            by_reason.setdefault(each.reason, []).append(f"{each.address} ({each.owner})")
        parts = [f"{', '.join(places)}: {reason}" for reason, places in by_reason.items()]
        options: dict[str, str] = {}
        for each in refusals:
            if each.number == errno.EADDRINUSE and "." in each.owner:
                options.setdefault(each.owner, f"-o {each.owner}={_another(each.address)}")
        text = f"cannot listen on {'; on '.join(parts)}"
        if options:
            text += f"; end the other program, or take free ports, which the log names: {' '.join(options.values())}"
        super().__init__(text)
        self.number = refusals[0].number


def _another(address: ListenAddress) -> str:
    """Return a free address like this one, as an option has it."""
    return str(address._replace(port=0)) if isinstance(address, TCPAddress) else f"{address}.2"


class BoundSocket:
    """A bound socket that does not accept yet. `address`: the real one, with the port that port 0 became.

    `owner`: the plugin, for the error. The caller closes it, also after it gave the socket to a server.
    """

    def __init__(
        self, address: ListenAddress, *, owner: str, only_ipv6: bool = False, reuse_port: bool = False
    ) -> None:
        """Bind, or take the socket that systemd has bound. Raises ListenError.

        `only_ipv6`: `[::]` leaves the addresses of IPv4 to another socket. `reuse_port`: a TCP port may belong to
        sockets of other processes too, all with this option and of one user.
        """
        self._file: os.stat_result | None = None
        self.address: Address
        try:
            if isinstance(address, SystemdAddress):
                self.socket, self.address = PASSED.take(address.name)
            elif isinstance(address, UnixAddress):
                self.socket = _bind_unix(address)
                self._file = Path(address.path).lstat()
                self.address = address
            else:
                self.socket = _bind_tcp(address, only_ipv6=only_ipv6, reuse_port=reuse_port)
                self.socket.listen()
                self.address = address._replace(port=self.socket.getsockname()[1])
        except OSError as error:
            raise ListenError(Refusal.of(owner, address, error)) from error
        except ValueError as error:
            raise ListenError(Refusal(owner, address, str(error))) from error

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
        raise ListenError(Refusal(owner, address, str(error))) from error


def try_to_bind(address: Address, *, only_ipv6: bool = False, reuse_port: bool = False) -> None:
    """Bind an address, without listening there, and let it go. A unix socket's file stays as it is.

    Raises OSError, and ValueError in one sentence.
    """
    if isinstance(address, UnixAddress):
        _stale_file(address)
    else:
        _bind_tcp(address, only_ipv6=only_ipv6, reuse_port=reuse_port).close()


def _bind_tcp(address: TCPAddress, *, only_ipv6: bool, reuse_port: bool) -> socket.socket:
    # Without the protocol's number asyncio takes the socket for something else and leaves Nagle's delay on.
    listener = socket.socket(
        socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if only_ipv6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.host, address.port))
    except BaseException:
        listener.close()
        raise
    return listener


def _bind_unix(address: UnixAddress) -> socket.socket:
    stale = _stale_file(address)
    if stale is not None:
        _remove(Path(address.path), stale)
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


def _stale_file(address: UnixAddress) -> os.stat_result | None:
    """Return the socket file of a host that is gone, None for none. Raises OSError, or ValueError for another file."""
    try:
        found = Path(address.path).lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISSOCK(found.st_mode):
        raise ValueError("there is a file of that name which is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        result = probe.connect_ex(address.path)
    if result in _LIVE:
        raise OSError(errno.EADDRINUSE, "another process is listening there")
    if result != errno.ECONNREFUSED:
        raise OSError(result, os.strerror(result))
    return found


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
