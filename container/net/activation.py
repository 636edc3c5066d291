"""Sockets that systemd has bound and passes to this process (sd_listen_fds(3)); the address `systemd:NAME` takes one.

Why by name, and not a socket that happens to be bound to the address in rr.yaml: `FileDescriptorName=` is made for it,
the unit is then the one place that says where a plugin listens, and a mistake in either file is an error that names
both, never a port that is bound twice or a socket that nobody accepts on.
What we want beside that: no worker inherits a descriptor or a variable, and a socket's file is left to systemd.
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
"""Sockets that one process is believed to be passed."""

_UNNAMED: Final = "unknown"
"""What sd_listen_fds_with_names(3) calls a descriptor without a name."""


class _Passed(NamedTuple):
    name: str
    descriptor: int


class Passed:
    """The passed sockets of one process that no plugin has taken yet."""

    def __init__(self) -> None:
        self._waiting: list[_Passed] = []
        self._taken: set[str] = set()
        self._none = "this process was passed none; start it by its socket unit, or write an address of its own"

    def receive(self, environ: MutableMapping[str, str], first: int = FIRST) -> None:
        """Note what the environment says, and take its variables away; no child inherits the descriptors either.

        What was received before is forgotten. An environment that says it wrong is like one without sockets.
        """
        self._waiting, self._taken = [], set()
        pid, said, names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
        if not said:
            return
        if pid != str(os.getpid()):
            self._none = (
                f"LISTEN_PID is {pid or 'not set'} and this process is {os.getpid()}, so the sockets were passed to "
                "another one; let the unit start rrpy itself, without a shell around it"
            )
            return
        if not said.isdecimal() or int(said) > MOST:
            self._none = f"LISTEN_FDS is {said[:20]!r}, which is no number of sockets"
            return
        called = names.split(":") if names else []
        for index in range(int(said)):
            descriptor = first + index
            with suppress(OSError):  # one that is not open is told by `take`
                os.set_inheritable(descriptor, False)
            self._waiting.append(_Passed(called[index] if index < len(called) else _UNNAMED, descriptor))

    @property
    def unused(self) -> list[str]:
        """The names of those that no plugin has taken: whoever connects to them waits for ever."""
        return [each.name for each in self._waiting]

    def take(self, name: str) -> tuple[socket.socket, Address]:
        """Return the listening stream socket of this name, and its address; it is the caller's to close.

        Raises ValueError, in one sentence, when there is none, or more than one, or it is something else.
        """
        found = self._find(name)
        taken, address = _opened(found)
        self._waiting.remove(found)
        self._taken.add(name)
        return taken, address

    def address(self, name: str) -> Address:
        """Return where a socket that nobody has taken yet is bound. Raises ValueError as `take`."""
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
            raise ValueError(f"there is no such socket: {self._none}")
        others = ", ".join(sorted({*self.unused, *self._taken}))
        raise ValueError(
            f"systemd passes no socket called {name}, only {others}; FileDescriptorName= in its socket unit names it"
        )


PASSED: Final = Passed()
"""Those of this process: descriptors belong to a process, so there is one of these."""


def _opened(passed: _Passed) -> tuple[socket.socket, Address]:
    try:
        is_socket = stat.S_ISSOCK(os.fstat(passed.descriptor).st_mode)
    except OSError:
        raise ValueError(f"descriptor {passed.descriptor}, which systemd calls {passed.name}, is not open") from None
    if not is_socket:
        raise ValueError(f"what systemd passes as {passed.name} is no socket; its unit needs ListenStream=")
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
