"""Sockets that systemd has bound and passes to this process (sd_listen_fds(3)); the address `systemd:NAME` takes one.

Why by name, and not by the address in rr.yaml: `FileDescriptorName=` is made for it, and the unit is then the one place
with the address. A mistake in either file is an error that names both. It is never a port that is bound twice, or a
socket that no plugin accepts on.
What we want besides: no worker inherits a descriptor or a variable, and systemd removes a socket's file.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final, NamedTuple

from .address import Address, TCPAddress, UnixAddress

FIRST: Final = 3
"""The number of the first passed descriptor (SD_LISTEN_FDS_START)."""

MOST: Final = 1024
"""The most sockets that LISTEN_FDS may announce."""

_UNNAMED: Final = "unknown"
"""The name of a descriptor without one (sd_listen_fds_with_names(3))."""


class _Passed(NamedTuple):
    name: str
    descriptor: int


class Passed:
    """The passed sockets of one process that no plugin has taken yet."""

    def __init__(self) -> None:
        self._waiting: list[_Passed] = []
        self._taken: set[str] = set()
        self._why_none = "this process was passed none; start it by its socket unit, or write an address of its own"

    def receive(self, environ: MutableMapping[str, str], first: int = FIRST) -> None:
        """Read the passed sockets from the environment, and remove its variables; no child inherits the descriptors.

        Sockets of an earlier call are forgotten. A malformed environment counts as one without sockets.
        `first`: the number of the first descriptor.
        """
        self._waiting, self._taken = [], set()
        pid, said, names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
        if not said:
            return
        if pid != str(os.getpid()):
            self._why_none = (
                f"LISTEN_PID is {pid or 'not set'} and this process is {os.getpid()}, so the sockets were passed to "
                "another one; let the unit start rrpy itself, without a shell around it"
            )
            return
        if not said.isdecimal() or int(said) > MOST:
            self._why_none = f"LISTEN_FDS is {said[:20]!r}, which is not a number of sockets"
            return
        called = names.split(":") if names else []
        for index in range(int(said)):
            descriptor = first + index
            with suppress(OSError):  # `take` raises for one that is not open
                os.set_inheritable(descriptor, False)
            self._waiting.append(_Passed(called[index] if index < len(called) else _UNNAMED, descriptor))

    @property
    def unused(self) -> list[str]:
        """The names of the sockets that no plugin has taken: a client that connects to one waits for ever."""
        return [each.name for each in self._waiting]

    def take(self, name: str) -> tuple[socket.socket, Address]:
        """Return the listening stream socket of this name, and its address. The caller closes it.

        Raises ValueError, in one sentence, unless there is exactly one such socket that no plugin has taken.
        """
        found = self._find(name)
        taken, address = _opened(found)
        self._waiting.remove(found)
        self._taken.add(name)
        return taken, address

    def address(self, name: str) -> Address:
        """Return the address of a socket that no plugin has taken yet. Raises ValueError as `take`."""
        looked_at, address = _opened(self._find(name))
        looked_at.detach()
        return address

    def _find(self, name: str) -> _Passed:
        found = [each for each in self._waiting if each.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(
                f"systemd passes {len(found)} sockets called {name}; a plugin listens on one, so give each a socket "
                "unit of its own, with a FileDescriptorName="
            )
        if name in self._taken:
            raise ValueError("another plugin has this socket already")
        if not self._waiting and not self._taken:
            raise ValueError(f"there is no such socket: {self._why_none}")
        others = ", ".join(sorted({*self.unused, *self._taken}))
        raise ValueError(
            f"systemd passes no socket called {name}, only {others}; FileDescriptorName= in its socket unit names it"
        )


PASSED: Final = Passed()
"""The sockets passed to this process."""


def _opened(passed: _Passed) -> tuple[socket.socket, Address]:
    try:
        is_socket = stat.S_ISSOCK(os.fstat(passed.descriptor).st_mode)
    except OSError:
        raise ValueError(f"descriptor {passed.descriptor}, which systemd calls {passed.name}, is not open") from None
    if not is_socket:
        raise ValueError(
            f"the descriptor that systemd calls {passed.name} is not a socket; its unit needs ListenStream="
        )
    opened = socket.socket(fileno=passed.descriptor)
    try:
        return opened, _address(opened, passed.name)
    except BaseException:
        opened.detach()
        raise


def _address(passed: socket.socket, name: str) -> Address:
    if passed.type != socket.SOCK_STREAM:
        raise ValueError(f"the socket {name} of systemd carries datagrams; its unit needs ListenStream=")
    if not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ValueError(f"the socket {name} of systemd does not listen; its unit needs Accept=no")
    bound = passed.getsockname()
    if passed.family == socket.AF_UNIX:
        # An abstract one, which has no file, begins with a NUL.
        return UnixAddress(bound if isinstance(bound, str) else "@" + os.fsdecode(bound[1:]))
    if passed.family in (socket.AF_INET, socket.AF_INET6):
        return TCPAddress(*bound[:2])
    raise ValueError(f"the socket {name} of systemd is neither TCP nor a unix socket")
