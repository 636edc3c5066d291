"""The listener: it accepts the connections of its sockets, counts them, checks their deadlines, and ends them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from functools import partial
from operator import itemgetter
from typing import Any

from ...container.net.accepting import MAIL_RESERVE, Acceptor, Reserve
from ...container.net.address import peer_host, peer_text
from ...container.net.listening import BoundSockets
from ...container.net.shaking import TLSAcceptor
from ...container.protocols import Logger
from ..protocol import replies
from ..protocol.refusal import Refusal
from ..protocol.replies import Reply
from ..protocol.rules import Rules
from ..session import Session
from .admission import Admission
from .connection import Connection
from .deadlines import CROWDED, DEFAULT_TIMEOUTS, IDLE_WHEN_FULL, Timeouts
from .protocols import ServedConnection, ServerBackend, Trace, TraceReplies
from .tls import implicit_handshake_fault


class Listener:
    """The connections of one SMTP server, `connections`.

    `timeouts`: how long a client may take. `max_connections`, `max_per_ip`: counts, 0 for no limit. `tls_context`: for
    STARTTLS; `implicit_tls`: for TLS from the first byte. `proxy_protocol`: every connection begins with a PROXY
    header, which has the client's address. `trace`, `trace_replies`: called with every command line and with all
    replies, None for no call. `transcript_lines`: the number that a session keeps, 0 for none. `turned_away`:
    connections without room since the last warning.
    """

    def __init__(
        self,
        rules: Rules,
        backend: ServerBackend,
        log: Logger,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        max_connections: int = 1000,
        max_per_ip: int = 0,
        tls_context: ssl.SSLContext | None = None,
        implicit_tls: ssl.SSLContext | None = None,
        proxy_protocol: bool = False,
        trace: Trace | None = None,
        trace_replies: TraceReplies | None = None,
        transcript_lines: int = 0,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = loop or asyncio.get_running_loop()
        self.rules = rules
        self.backend = backend
        self.log = log
        self.timeouts = timeouts
        self.tls_context = tls_context
        self.implicit_tls = implicit_tls
        self.proxy_protocol = proxy_protocol
        self.trace = trace
        self.trace_replies = trace_replies
        self.transcript_lines = transcript_lines
        self.connections: set[ServedConnection] = set()
        self._delivering: set[ServedConnection] = set()  # they may be closed already
        self._delivery_ended = asyncio.Event()
        self._max_connections = max_connections
        self._admission = Admission(max_connections, max_per_ip)
        self._full = replies.too_many_connections(max_connections)
        self._full_for_client = replies.too_many_from_client(max_per_ip)
        self.turned_away = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._acceptor: Acceptor | None = None
        self._tls_acceptor: TLSAcceptor[Connection] | None = None
        self._idle = asyncio.Event()
        self._late = False
        self._start_sweeps()

    async def listen(self, bound: BoundSockets) -> None:
        """Accept connections on sockets."""
        reserve = Reserve(MAIL_RESERVE, bound, self.log)
        if self.implicit_tls is None:
            self._acceptor = Acceptor(bound, partial(Connection.of, self), reserve)
            await self._acceptor.start()
            return
        self._tls_acceptor = TLSAcceptor(
            bound,
            reserve,
            self.log,
            context=self.implicit_tls,
            timeout=self.timeouts.opening,
            enter=self._accepted,
            ended=self._shook_hands,
        )
        self._tls_acceptor.start()

    def use_certificate(self, context: ssl.SSLContext) -> None:
        """Shake hands with this context from now on, in place of the one of before."""
        if self.tls_context is not None:
            self.tls_context = context
        if self._tls_acceptor is not None:
            self._tls_acceptor.context = context

    def _accepted(self, peer: Any) -> Connection | None:
        """Return the connection of a client that is about to shake hands, None to refuse it."""
        connection = Connection.of(self)
        if self._enter(connection, peer) is None:
            return connection
        self.turned_away += 1
        self._admission.leave(connection)
        return None

    def _shook_hands(self, connection: Connection, peer: Any, error: OSError | None) -> None:
        if error is not None:
            reason = implicit_handshake_fault(error)
            if isinstance(error, ConnectionResetError):  # the client has ended it: a health check, for example
                self.log.debug("TLS handshake failed", remote_addr=peer_text(peer), reason=reason)
            else:
                self.report_end(Session(self.loop, peer), reason)
        if connection not in self.connections:  # the handshake failed, or the connection is closed already
            self._admission.leave(connection)

    def _close_socket(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
        if self._tls_acceptor is not None:
            self._tls_acceptor.close()

    def add(self, connection: ServedConnection) -> Reply | None:
        """Register a connection; return the refusal where there is no room for it."""
        self.connections.add(connection)
        refusal = self._enter(connection, connection.session.peer)
        if refusal is None:
            self.backend.connected(connection)
        return refusal

    def _enter(self, connection: ServedConnection, peer: object) -> Reply | None:
        """Count a connection, also for its client where no proxy says later which client that is."""
        if not self._admission.enter(connection):
            return self._full
        if self.proxy_protocol or not self._admission.most_per_host:
            return None
        return self.admit(connection, peer_host(peer))

    def admit(self, connection: ServedConnection, host: str) -> Reply | None:
        """Count a connection for its client; return the refusal where this client has no room for one more."""
        return None if self._admission.admit(connection, host) else self._full_for_client

    def may_linger(self, connection: ServedConnection, host: str) -> bool:
        """Count a connection that is turned away; return whether it may wait for its client to read the reply."""
        self.turned_away += 1
        return self._admission.may_linger(connection, host)

    def remove(self, connection: ServedConnection) -> None:
        """Forget a connection that is closed."""
        self.connections.discard(connection)
        self._admission.leave(connection)
        self.backend.disconnected(connection)
        if not self.connections:
            self._idle.set()

    def report_end(self, session: Session, reason: str, setting: str = "") -> None:
        """Report that a session ends without a reply. `setting`: the one that decides, and its value."""
        self.backend.report(session, Refusal(setting=setting, reason=reason, last=True))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that may outlive its connection, but not the listener."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Close the socket, end every session politely, and wait for the end of all connections and deliveries.

        A client that reads nothing more, or does not close, is cut within a second; a message under way is not.
        """
        self._close_socket()
        self.timeouts = self.timeouts.at_stop()
        self.retire()
        self._start_sweeps()
        for connection in list(self.connections):
            connection.drain()
        await self._wait_for_the_last()
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

    async def _wait_for_the_last(self) -> None:
        while self.connections:
            self._idle.clear()
            await self._idle.wait()

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
        await self._wait_for_the_last()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._tls_acceptor is not None:
            await self._tls_acceptor.wait_closed()
        await self._wait_for_deliveries(cancelled)

    def retire(self) -> None:
        """Stop the sweep over the deadlines, for a listener whose only connection is gone."""
        self._timer.cancel()

    def _start_sweeps(self) -> None:
        self._interval = min(1.0, max(0.02, self.timeouts.shortest / 4))
        self._due = self.loop.time() + self._interval
        self._timer = self.loop.call_later(self._interval, self._sweep)

    def _sweep(self) -> None:
        now = self.loop.time()
        # After a pause of the loop or of the process, what came in time is still in the sockets: it is read first.
        self._late = now - self._due > self._interval and not self._late
        if not self._late:
            for connection in list(self.connections):
                connection.check(now)
            self._make_room(now)
        if self.turned_away:
            self.log.warning("connections turned away", count=self.turned_away, open=len(self.connections))
            self.turned_away = 0
        self._start_sweeps()

    def _make_room(self, now: float) -> None:
        """Close sessions that are idle, the longest idle first, while too many of the places are taken."""
        shaking = self._tls_acceptor.pending if self._tls_acceptor is not None else 0
        taken = shaking + sum(not connection.closing for connection in self.connections)
        crowd = taken - int(self._max_connections * CROWDED)
        if not self._max_connections or crowd <= 0:
            return
        idle = [
            (since, connection)
            for connection in self.connections
            if (since := connection.idle_since) is not None and now - since >= IDLE_WHEN_FULL
        ]
        for _, connection in sorted(idle, key=itemgetter(0))[:crowd]:
            connection.kill(replies.making_room(self._max_connections))
