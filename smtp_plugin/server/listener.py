"""The listener: it accepts the connections of one socket, counts them, checks their deadlines, and ends them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from ...container.net.address import UnixAddress, peer_host
from ...container.net.sockets import BoundSocket
from ...container.protocols import Logger
from ..protocol import replies
from ..protocol.rules import Rules
from .connection import Connection
from .protocols import ServedConnection, ServerBackend, Trace

BACKLOG: Final = 1024
"""Connections that the kernel holds until the listener accepts them."""


class Listener:
    """The connections of one listening socket, `connections`.

    `read_timeout`: seconds for a command, after the last reply. `write_timeout`: seconds for a client that does not
    read its replies. `max_connections`, `max_per_ip`: counts, 0 for no limit. `tls_context`: for STARTTLS;
    `implicit_tls`: for TLS from the first byte. `proxy_protocol`: every connection begins with a PROXY header, which
    has the client's address. `trace`: called with every command line, None for no call. `transcript_lines`: the number
    that a session keeps, 0 for none.
    """

    def __init__(
        self,
        rules: Rules,
        backend: ServerBackend,
        log: Logger,
        *,
        read_timeout: float = 60.0,
        write_timeout: float = 10.0,
        max_connections: int = 1000,
        max_per_ip: int = 0,
        tls_context: ssl.SSLContext | None = None,
        implicit_tls: ssl.SSLContext | None = None,
        proxy_protocol: bool = False,
        trace: Trace | None = None,
        transcript_lines: int = 0,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = loop or asyncio.get_running_loop()
        self.rules = rules
        self.backend = backend
        self.log = log
        self.read_timeout = read_timeout
        self.write_timeout = write_timeout
        self.max_connections = max_connections
        self.max_per_ip = max_per_ip
        self.tls_context = tls_context
        self.implicit_tls = implicit_tls
        self.proxy_protocol = proxy_protocol
        self.trace = trace
        self.transcript_lines = transcript_lines
        self.connections: set[ServedConnection] = set()
        self._delivering: set[ServedConnection] = set()  # they may be closed already
        self._delivery_ended = asyncio.Event()
        self._leaving: set[ServedConnection] = set()  # turned away and not closed yet; they take no place
        self._per_ip: Counter[str] = Counter()
        self._hosts: dict[ServedConnection, str] = {}
        self._turned_away = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._interval = min(1.0, max(0.02, min(read_timeout, write_timeout) / 4))
        self._timer = self.loop.call_later(self._interval, self._sweep)

    async def listen(self, bound: BoundSocket) -> None:
        """Accept connections on a socket."""

        def connection() -> Connection:
            return Connection.of(self)

        if self.implicit_tls is None:
            unix = isinstance(bound.address, UnixAddress)
            serve: Callable[..., Awaitable[asyncio.Server]] = (
                self.loop.create_unix_server if unix else self.loop.create_server
            )
            options = bound.unix_options if unix else {}
            self._server = await serve(connection, sock=bound.socket, backlog=BACKLOG, **options)
            return
        # asyncio's own server makes no protocol before the handshake is done, so handshakes would not count as
        # connections. Here each is accepted and counted first.
        bound.socket.setblocking(False)
        bound.socket.listen(BACKLOG)
        self._accepting = self.loop.create_task(self._accept(bound.socket, self.implicit_tls))

    async def _accept(self, listening: socket.socket, context: ssl.SSLContext) -> None:
        while True:
            try:
                client, _ = await self.loop.sock_accept(listening)
            except OSError as error:  # most often there is no descriptor left; one may be free in a moment
                self.log.warning("cannot accept a connection", error=str(error))
                await asyncio.sleep(self._interval)
                continue
            if 0 < self.max_connections <= len(self.connections) - len(self._leaving) + len(self._handshakes):
                self._turned_away += 1
                client.close()
                continue
            task = self.loop.create_task(self._shake_hands(client, context))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, client: socket.socket, context: ssl.SSLContext) -> None:
        try:
            await self.loop.connect_accepted_socket(
                lambda: Connection.of(self), client, ssl=context, ssl_handshake_timeout=self.read_timeout
            )
        except OSError as error:  # ssl.SSLError is one
            self.log.debug("TLS handshake failed", error=str(error))
            client.close()

    def _close_socket(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in (self._accepting, *self._handshakes):
            if task is not None:
                task.cancel()

    def add(self, connection: ServedConnection) -> bool:
        """Register a connection; return whether there is room for it."""
        self.connections.add(connection)
        self._idle.clear()
        if 0 < self.max_connections <= len(self.connections) - 1 - len(self._leaving):
            self._leaving.add(connection)
            self._turned_away += 1
            return False
        if not self.proxy_protocol and not self.admit(connection, peer_host(connection.session.peer)):
            return False
        self.backend.connected(connection)
        return True

    def admit(self, connection: ServedConnection, host: str) -> bool:
        """Count a connection for its client; return whether there is room for one more of this client's."""
        if not self.max_per_ip:
            return True
        self._hosts[connection] = host
        self._per_ip[host] += 1
        if self._per_ip[host] > self.max_per_ip:
            self._forget(connection)
            self._leaving.add(connection)
            self._turned_away += 1
            return False
        return True

    def remove(self, connection: ServedConnection) -> None:
        """Forget a connection that is closed."""
        self.connections.discard(connection)
        self._leaving.discard(connection)
        self._forget(connection)
        self.backend.disconnected(connection)
        if not self.connections:
            self._idle.set()

    def _forget(self, connection: ServedConnection) -> None:
        """Count a connection for its client no more."""
        host = self._hosts.pop(connection, None)
        if host is not None:
            self._per_ip[host] -= 1
            if not self._per_ip[host]:
                del self._per_ip[host]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that may outlive its connection, but not the listener."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Close the socket, end every session politely, and wait for the end of all connections and deliveries."""
        self._close_socket()
        for connection in list(self.connections):
            connection.drain()
        await self._idle.wait()
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._wait_for_deliveries(self._delivering)

    def delivery_began(self, connection: ServedConnection) -> None:
        """Count a message whose outcome is pending."""
        self._delivering.add(connection)

    def delivery_ended(self, connection: ServedConnection) -> None:
        """Count one such message less."""
        self._delivering.discard(connection)
        self._delivery_ended.set()

    async def _wait_for_deliveries(self, connections: set[ServedConnection]) -> None:
        while connections & self._delivering:
            self._delivery_ended.clear()
            await self._delivery_ended.wait()

    async def aclose(self) -> None:
        """Close everything at once; only what a worker decides now may end later. May be called twice."""
        self._close_socket()
        self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        cancelled = {connection for connection in self._delivering if connection.cancel_delivery()}
        for connection in list(self.connections):
            connection.kill(replies.STOPPING)
        await asyncio.sleep(0)  # uvloop sends what was written at the end of its turn
        for connection in list(self.connections):
            connection.abort()
        await self._idle.wait()
        ending = [*self._tasks, *self._handshakes, *([self._accepting] if self._accepting is not None else [])]
        if ending:
            await asyncio.wait(ending)
        await self._wait_for_deliveries(cancelled)

    def retire(self) -> None:
        """Stop the sweep over the deadlines, for a listener whose only connection is gone."""
        self._timer.cancel()

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in list(self.connections):
            connection.check(now)
        if self._turned_away:
            self.log.warning("connections turned away", count=self._turned_away, open=len(self.connections))
            self._turned_away = 0
        self._timer = self.loop.call_later(self._interval, self._sweep)
