"""Accepting connections while the process has descriptors to spare.

What we want: clients that open connection after connection leave descriptors for workers, files, and the listeners that
an administrator needs. What does not work: to accept until `accept` fails, for then no other part of the host gets a
descriptor. libuv then also drops the clients of every listener. What we do: each listener leaves a reserve. Within it a
new connection is cut at once, and the listener stops: its server runs on a copy of the listening socket, which closes.
Clients wait in the kernel, in a short queue. Each second a look tells whether there is room again.
What can still fail: in one turn of the loop uvloop accepts all that waits, at most `BACKLOG`. So the reserve can be in
use until the next turn.
"""

from __future__ import annotations

import asyncio
import math
import os
import resource
import sys
from collections.abc import Callable
from typing import Any, Final, cast

from ..protocols import Logger
from .address import UnixAddress
from .listening import BoundSockets
from .sockets import BoundSocket

BACKLOG: Final = 1024
"""Connections that the kernel holds until the listener accepts them."""
SHORT_BACKLOG: Final = 16
"""The same while there are too few descriptors."""
MAIL_RESERVE: Final = 64
"""Descriptors that a listener of mail leaves to the rest of the host."""
RESERVE: Final = 32
"""Descriptors that the other listeners leave to workers and files."""
PAUSE: Final = 1.0
"""Seconds between two looks of a listener that has stopped."""
LOG_INTERVAL: Final = 60.0
"""Seconds between two lines of the log about the same lack."""


def free_descriptors() -> int:
    """Return how many descriptors this process may still open; 0 where the system does not say."""
    try:
        used = len(os.listdir("/dev/fd"))  # noqa: PTH208 - a path for each of them would cost ten times as much
    except OSError:  # most often there is none for this look
        return 0
    return descriptor_limit() - used


def descriptor_limit() -> int:
    """Return the limit of open descriptors of this process (RLIMIT_NOFILE)."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


class Reserve:
    """The descriptors that one listener leaves to the rest of the host.

    `size`: their number; where the limit is low, a share of the limit: a quarter for MAIL_RESERVE, an eighth for
    RESERVE. So mail never takes those of the other listeners. `address`: of the listener, for the log. `free`: returns
    the number of free descriptors.
    """

    def __init__(self, size: int, address: object, log: Logger, free: Callable[[], int] = free_descriptors) -> None:
        self._size = min(size, descriptor_limit() * size // (4 * MAIL_RESERVE))
        self._address = address
        self._log = log
        self._free = free
        self._left = 0  # connections before the next look, which costs a system call for some dozens of descriptors
        self._next_log = -math.inf

    def admits(self, now: float) -> bool:
        """Count a connection; return whether there is room for it. `now`: the loop's time, for the log."""
        self._left -= 1
        return self._left >= 0 or self.has_room(now)

    def has_room(self, now: float) -> bool:
        """Look, and return whether there is room for one more connection. Without room, say so in the log."""
        room = self._free() - self._size
        self._left = room // 2  # the other half is for what else opens descriptors until the next look
        if room > 0:
            return True
        if now >= self._next_log:
            self._next_log = now + LOG_INTERVAL
            self._log.warning(
                "no connections are accepted: too few descriptors are free",
                address=str(self._address),
                limit=descriptor_limit(),
                reserve=self._size,
            )
        return False


class Acceptor:
    """Accepts connections on bound sockets. `protocol`: makes the protocol of a connection."""

    def __init__(self, bound: BoundSockets, protocol: Callable[[], asyncio.BaseProtocol], reserve: Reserve) -> None:
        self._bound = bound
        self._protocol = protocol
        self._reserve = reserve
        self._loop = asyncio.get_running_loop()
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None
        self._resuming: asyncio.Task[None] | None = None
        self._paused = self._closed = False

    async def start(self) -> None:
        """Accept connections from now on. Raises OSError."""
        await self._serve()

    def close(self) -> None:
        """Accept no more connections, and close the bound sockets; connections that are open stay. Idempotent."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._resuming is not None:
            self._resuming.cancel()
        self._stop_servers()
        self._bound.close()

    async def _serve(self) -> None:
        try:
            for each in self._bound.sockets:
                await self._serve_on(each)
        except BaseException:
            self._stop_servers()
            raise

    async def _serve_on(self, bound: BoundSocket) -> None:
        serve: Any = self._loop.create_server
        options: dict[str, Any] = {}
        if isinstance(bound.address, UnixAddress):
            serve, options = self._loop.create_unix_server, bound.unix_options
        listening = bound.socket.dup()
        try:
            server = await serve(self._new_protocol, sock=listening, backlog=BACKLOG, **options)
        except BaseException:
            listening.close()
            raise
        if self._closed:
            server.close()
        else:
            self._servers.append(server)

    def _new_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol of a connection that the loop has accepted."""
        if not self._paused and self._reserve.admits(self._loop.time()):
            return self._protocol()
        if not self._paused:
            self._paused = True
            self._loop.call_soon(self._pause)  # a server that accepts cannot be closed
        return _Cut()

    def _pause(self) -> None:
        if self._closed:
            return
        self._stop_servers()
        for each in self._bound.sockets:
            each.socket.listen(SHORT_BACKLOG)
        self._timer = self._loop.call_later(PAUSE, self._look)

    def _look(self) -> None:
        if self._reserve.has_room(self._loop.time()):
            self._resuming = self._loop.create_task(self._resume())
        else:
            self._timer = self._loop.call_later(PAUSE, self._look)

    async def _resume(self) -> None:
        self._paused = False
        try:
            await self._serve()
        except OSError:
            self._paused = True
            self._pause()

    def _stop_servers(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()


class _Cut(asyncio.Protocol):
    """A connection for which there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).abort()  # uvloop's are not a subclass of asyncio's
