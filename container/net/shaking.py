"""Accepting connections that speak TLS from the first byte.

What we want: handshakes count as connections, have a deadline, and end with the listener. What does not work: asyncio's
own server, which makes no protocol before a handshake is done, and does not tell which one failed.
What we do: each connection is accepted and counted first; then it shakes hands in a task of its own. A reader on the
listening socket accepts: where `sock_accept` is cancelled, a connection that it has just accepted stays open.
What can still fail: clients that only shake hands hold as many places as their server has, for the deadline.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Generic, TypeVar

from ..protocols import Logger
from .accepting import BACKLOG, PAUSE, Reserve
from .listening import BoundSockets
from .sockets import BoundSocket

P = TypeVar("P", bound=asyncio.BaseProtocol)

SHUTDOWN_TIMEOUT: Final = 5.0
"""Seconds that a client may take to answer the end of TLS."""


class TLSAcceptor(Generic[P]):
    """Accepts connections on bound sockets, and shakes hands with each.

    `context`: of later handshakes; `timeout`: seconds of one. `enter`: called with the peer of an accepted connection,
    returns its protocol, or None to refuse it. `ended`: called after the handshake, also of a cancelled one,
    with the protocol, the peer, and the error of a failed handshake.
    """

    def __init__(
        self,
        bound: BoundSockets,
        reserve: Reserve,
        log: Logger,
        *,
        context: ssl.SSLContext,
        timeout: float,
        enter: Callable[[Any], P | None],
        ended: Callable[[P, Any, OSError | None], None],
    ) -> None:
        self.context = context
        self._bound = bound
        self._reserve = reserve
        self._log = log
        self._timeout = timeout
        self._enter = enter
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._timers: dict[BoundSocket, asyncio.TimerHandle] = {}
        self._handshakes: set[asyncio.Task[OSError | None]] = set()

    @property
    def pending(self) -> int:
        """The number of handshakes under way."""
        return len(self._handshakes)

    def start(self) -> None:
        """Accept connections from now on."""
        for each in self._bound.sockets:
            each.socket.setblocking(False)
            each.socket.listen(BACKLOG)
            self._read(each)

    def close(self) -> None:
        """Accept no more connections, close the sockets, and cancel the handshakes under way. Idempotent."""
        for timer in self._timers.values():
            timer.cancel()
        for each in self._bound.sockets:
            if each.socket.fileno() >= 0:
                self._loop.remove_reader(each.socket)
        self._bound.close()
        for task in self._handshakes:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait for the end of the handshakes that `close` has cancelled."""
        if self._handshakes:
            await asyncio.wait(self._handshakes)

    def _read(self, bound: BoundSocket) -> None:
        self._loop.add_reader(bound.socket, self._accept, bound)

    def _pause(self, bound: BoundSocket) -> None:
        self._loop.remove_reader(bound.socket)
        self._timers[bound] = self._loop.call_later(PAUSE, self._read, bound)

    def _accept(self, bound: BoundSocket) -> None:
        """Accept one connection; the loop calls again where more wait."""
        if not self._reserve.admits(self._loop.time()):
            self._pause(bound)
            return
        try:
            client, peer = bound.socket.accept()
        except (BlockingIOError, InterruptedError):  # the client has left
            return
        except OSError as error:  # of this client, or the whole system lacks descriptors
            self._log.warning("cannot accept a connection", error=str(error))
            self._pause(bound)
            return
        protocol = self._enter(peer)
        if protocol is None:
            client.close()
            return
        client.setblocking(False)
        task = self._loop.create_task(self._shake_hands(protocol, client))
        self._handshakes.add(task)
        task.add_done_callback(partial(self._shook_hands, protocol, client, peer))

    async def _shake_hands(self, protocol: P, client: socket.socket) -> OSError | None:
        """Return the error of a failed handshake."""
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                client,
                ssl=self.context,
                ssl_handshake_timeout=self._timeout,
                ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
            )
        except OSError as error:  # ssl.SSLError is one
            client.close()
            return error
        return None

    def _shook_hands(self, protocol: P, client: socket.socket, peer: Any, task: asyncio.Task[OSError | None]) -> None:
        self._handshakes.discard(task)
        fault: OSError | None = None
        try:
            if task.cancelled():
                client.close()  # the task may not have begun
            else:
                fault = task.result()
        finally:
            self._ended(protocol, peer, fault)
