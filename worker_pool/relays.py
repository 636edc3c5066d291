"""The socket that workers connect to when `server.relay` is `tcp://…` or `unix://…` (docs/reference/wire.md).

The host sends its half of the handshake to every connection. The pid in the other half says which of the host's
workers has made it. Another program may start a worker (`sh -c "php worker.php"`). So a connection belongs to a worker
when its pid is the worker's process, or a process in that one's session. A process may connect before the host knows
that it runs: a connection without a worker waits for one, `CLAIM_TIMEOUT` seconds.

What can still fail: on a tcp relay another user of this machine can claim to be a worker that has not connected yet.
Only one user can open a unix socket's file.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Final, Protocol

from ..container.deadline import Deadline
from ..container.net.accepting import RESERVE, Acceptor, Reserve, descriptor_limit
from ..container.net.access import SocketAccess
from ..container.net.listening import Addresses, BoundSockets
from ..container.protocols import Logger
from ..goridge.frame import Decoder, FrameError
from ..goridge.worker import host_handshake, worker_pid
from .channel import Channel, poll_of, set_reading

CLAIM_TIMEOUT: Final = 60.0
"""Seconds that a connection without a worker is kept."""
MAX_UNCLAIMED: Final = 1000
"""Connections without a worker at the same time, or a quarter of the limit of descriptors."""
_MAX_HANDSHAKE: Final = 4096


class ConnectingWorker(Protocol):
    """A worker, as the relay sees it."""

    pid: int

    def attach(self, channel: Channel) -> None:
        """Use this channel from now on."""
        ...

    def received(self, data: bytes) -> None:
        """Take bytes of the channel."""
        ...

    def channel_lost(self) -> None:
        """Called when the channel is closed."""
        ...


class Relay:
    """A socket that workers connect to: `async with` binds it, and closes it with every connection without a worker.

    `uid`: the user that workers run as, when it is not the host's: the unix socket's file is given to that user.
    `address`: the first one, with the real port once it is bound; `unclaimed`: the connections that have no worker yet.
    """

    def __init__(self, addresses: Addresses, log: Logger, uid: int | None = None) -> None:
        self.address = addresses.all[0]
        self._addresses = addresses
        self._log = log
        self._access = SocketAccess() if uid is None else SocketAccess(uid=uid)
        self._expected: dict[int, ConnectingWorker] = {}
        self.unclaimed: set[RelayConnection] = set()
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Relay:
        """Listen. Raises ListenError."""
        async with AsyncExitStack() as closing:
            bound = BoundSockets(self._addresses)
            closing.callback(bound.close)
            self.address = bound.address
            bound.give(self._access, self._addresses.key)
            acceptor = Acceptor(bound, lambda: RelayConnection(self), Reserve(RESERVE, bound, self._log))
            closing.callback(self._close_unclaimed)
            closing.callback(acceptor.close)
            await acceptor.start()
            self._closing = closing.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the socket."""
        await self._closing.aclose()

    def _close_unclaimed(self) -> None:
        for connection in list(self.unclaimed):
            connection.close()

    # Called by `boot`.

    def expect(self, worker: ConnectingWorker) -> None:
        """Give this worker the connection that it makes, or has made already."""
        for connection in self.unclaimed:
            if connection.pid and _belongs(connection.pid, worker.pid):
                self._give(connection, worker)
                return
        self._expected[worker.pid] = worker

    def forget(self, worker: ConnectingWorker) -> None:
        """Expect this worker no more."""
        if self._expected.get(worker.pid) is worker:
            del self._expected[worker.pid]

    # Called by its connections.

    def opened(self, connection: RelayConnection) -> bool:
        """Take a new connection; return whether there is room for it."""
        if len(self.unclaimed) >= min(MAX_UNCLAIMED, descriptor_limit() // 4):
            self._log.warning("relay connection refused: too many connections have no worker")
            return False
        self.unclaimed.add(connection)
        return True

    def identified(self, connection: RelayConnection) -> None:
        """Find the worker of a connection that has sent its pid."""
        for pid, worker in self._expected.items():
            if _belongs(connection.pid, pid):
                del self._expected[pid]
                self._give(connection, worker)
                return

    def closed(self, connection: RelayConnection, reason: str = "") -> None:
        """Forget a connection without a worker. `reason`: why it is refused, for the log."""
        self.unclaimed.discard(connection)
        if reason:
            self._log.warning("relay connection dropped", pid=connection.pid, reason=reason)

    def _give(self, connection: RelayConnection, worker: ConnectingWorker) -> None:
        self.unclaimed.discard(connection)
        connection.serve(worker)


class RelayConnection(asyncio.Protocol):
    """A connection: without a worker until its handshake, then the channel of its worker. `pid`: 0 before that."""

    def __init__(self, relay: Relay) -> None:
        self.pid = 0
        self._relay = relay
        self._worker: ConnectingWorker | None = None
        self._received = b""
        self._decoder = Decoder(_MAX_HANDSHAKE)
        self._deadline = Deadline()
        self._transport: asyncio.Transport
        self.write: Callable[[Sequence[bytes]], None]
        self.poll: Callable[[int], Sequence[tuple[int, int]]]
        self.is_closing: Callable[[], bool]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the host's half of the handshake."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's does not inherit from asyncio's
        self.write = self._transport.writelines
        self.poll = poll_of(self._transport)
        self.is_closing = self._transport.is_closing
        if not self._relay.opened(self):
            self.close()
            return
        self._deadline.start(CLAIM_TIMEOUT, lambda: self._refuse("no worker of this host has its pid"))
        self._transport.write(host_handshake(os.getpid()))

    def data_received(self, data: bytes) -> None:
        """Read the other half of the handshake; pass everything to the worker, once there is one."""
        if self._worker is not None:
            self._worker.received(data)
            return
        self._received += data
        if len(self._received) > 2 * _MAX_HANDSHAKE:
            self._refuse("it sent more than a handshake")
            return
        if self.pid:
            return
        try:
            frames = self._decoder.feed(data)
            self.pid = worker_pid(frames[0]) if frames else 0
        except (FrameError, ValueError) as error:
            self._refuse(f"its handshake is wrong: {error}")
            return
        if frames:
            self._relay.identified(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell its worker, or else the relay."""
        self._deadline.stop()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.channel_lost()
        else:
            self._relay.closed(self)

    def serve(self, worker: ConnectingWorker) -> None:
        """Become this worker's channel."""
        self._deadline.stop()
        self._worker = worker
        worker.attach(self)
        received, self._received = self._received, b""
        worker.received(received)

    def _refuse(self, reason: str) -> None:
        self._relay.closed(self, reason)
        self.close()

    # The Channel.

    def pause(self, paused: bool) -> None:
        """Stop reading, or go on with it."""
        set_reading(self._transport, not paused)

    def end(self) -> None:
        """Shut the host's sending side after everything written so far."""
        if self._transport.can_write_eof() and not self._transport.is_closing():
            with suppress(OSError):  # the worker has reset the connection, and asyncio does not know it yet
                self._transport.write_eof()

    def close(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    @property
    def unsent(self) -> int:
        """Bytes that the connection has not taken yet."""
        return self._transport.get_write_buffer_size()


def _belongs(pid: int, worker: int) -> bool:
    """Return whether a process is this worker's process, or one that it started."""
    try:
        return pid == worker or os.getsid(pid) == worker
    except (OSError, OverflowError):  # there is no such process here
        return False
