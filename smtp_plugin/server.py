"""The SMTP server on the wire: `SMTP`, one connection, derived from aiosmtpd's class; `Listener`, all of a socket's.

What we want: no task, no future and no timer for a command. What does not work: aiosmtpd's own loop, which awaits
every line and arms a timer for every command. What we do: `data_received` hands the bytes to a `Dialog`, sends what
it says in one write, and makes a task only where something really waits (a delivery, a TLS handshake). One sweep per
listener looks at every connection's deadline.

How a connection ends: after QUIT it is closed. When it is we who end it, our sending side is shut and what the client
still sends is read and dropped for `LINGER` seconds: a socket closed with unread bytes in it resets the connection,
and the client would never see the reply that told it why.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable
from typing import Any, Final, Protocol, Self, cast

import aiosmtpd.smtp

from ..container.address import UnixAddress
from ..container.protocols import Logger
from ..container.sockets import BoundSocket
from . import replies
from .dialog import Dialog, Trace
from .phases import Event
from .replies import Reply
from .rules import Rules
from .session import Envelope, Session

LINGER: Final = 2.0
"""Seconds for which a connection that we end is still read from."""
MIN_RATE: Final = 500
"""Bytes a second below which a message is too slow, over a read timeout."""
BACKLOG: Final = 1024
"""Connections that the kernel holds until they are accepted."""
MAX_WAITING: Final = 65536
"""Unhandled bytes of one connection above which reading pauses."""


class Backend(Protocol):
    """What the server tells of its connections, and who takes the messages."""

    def connected(self, connection: SMTP) -> None:
        """Take notice of a new connection."""
        ...

    def disconnected(self, connection: SMTP) -> None:
        """Take notice of a connection's end."""
        ...

    def deliver(self, session: Session, envelope: Envelope) -> Reply | Awaitable[Reply]:
        """Take a message and say what to answer, now or later. Raising is a temporary refusal."""
        ...


class SMTP(aiosmtpd.smtp.SMTP):
    """One connection: the shell of I/O around a `Dialog`."""

    dialog: Dialog
    listener: Listener
    transport: asyncio.Transport | None
    _window: tuple[float, float, int] | None
    _stuck: tuple[float, int] | None
    _lingering: bool

    @classmethod
    def of(cls, listener: Listener) -> Self:
        """Return a connection for a listener.

        Past aiosmtpd's constructor, which inspects its handler for 130 us: the listener has done that work once.
        """
        self = cls.__new__(cls)
        self.listener = listener
        self.loop = listener.loop
        self.transport = None
        self._deadline = 0.0
        self._touched = 0.0
        self._window = None
        self._stuck = None
        self._lingering = False
        self._eof = False
        self._busy = False
        return self

    @property
    def session(self) -> Session:
        """The connection's session."""
        return self.dialog.session

    @property
    def envelope(self) -> Envelope:
        """The transaction under way."""
        return self.dialog.envelope

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client, or turn it away where there are too many."""
        transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of asyncio's
        self.transport = transport
        listener = self.listener
        session = Session(self.loop, transport.get_extra_info("peername"))
        self.dialog = Dialog(listener.rules, session, listener.trace)
        if transport.get_extra_info("sslcontext") is not None:
            self.dialog.tls = True
            session.ssl = transport.get_extra_info("peercert") or {}
        if listener.add(self):
            self.dialog.greet()
        else:
            self.dialog.close(replies.TOO_MANY_CONNECTIONS)
        self._pump()

    def data_received(self, data: bytes) -> None:
        """Handle what arrived."""
        self.dialog.receive(data)
        self._pump()

    def eof_received(self) -> bool:
        """Answer everything that came before the client shut its sending side, then close."""
        self._eof = True
        return self._busy

    def connection_lost(self, error: Exception | None) -> None:
        """Let go of everything; a delivery under way goes on."""
        self.dialog.close(None)
        self.transport = None
        self.listener.remove(self)

    def pause_writing(self) -> None:
        """Stop reading: a client that does not read its replies gets no more of them."""
        self._set_reading(False)

    def resume_writing(self) -> None:
        """Read on."""
        self._set_reading(True)

    # What the host calls.

    def drain(self) -> None:
        """End the session as soon as it is polite: now, or behind the message under way."""
        self.dialog.drain()
        self._pump()

    def kill(self, reply: Reply | None) -> None:
        """End the session now, with a last reply or without one; a message under way is lost."""
        self.dialog.close(reply)
        self._pump()

    def abort(self) -> None:
        """Close the socket at once, whatever was not sent yet."""
        if self.transport is not None:
            self.transport.abort()

    def check(self, now: float) -> None:
        """Look at the deadlines. `now`: the loop's time in seconds. Called by the listener's sweep."""
        transport = self.transport
        if transport is None or self._check_writing(transport, now):
            return
        if self._lingering:
            if now >= self._deadline:
                transport.abort()
        elif not self._busy:
            body = self.dialog.body_bytes
            if body is not None:
                self._check_body(body, now)
            elif now >= self._deadline:
                self.kill(replies.TIMEOUT)

    # Inside.

    def _pump(self) -> None:
        """Do what the dialog asks for, send what it says."""
        dialog = self.dialog
        while dialog.event is not None:
            self._handle(dialog.next_event())
        transport = self.transport
        if transport is None:
            return
        out = dialog.take_output()
        if out:
            transport.write(out)
            self._deadline = self.loop.time() + self.listener.read_timeout
        else:
            self._touched = self.loop.time()
        if dialog.closing:
            self._close(transport)
        elif self._busy:
            if dialog.waiting_bytes > MAX_WAITING:
                self._set_reading(False)
        elif self._eof:
            transport.close()

    def _handle(self, event: Event | None) -> None:
        dialog = self.dialog
        if event is Event.DELIVER:
            try:
                result = self.listener.backend.deliver(dialog.session, dialog.envelope)
            except Exception:
                self.listener.log.exception("delivery failed", uuid=dialog.session.uuid)
                result = replies.TEMPORARY_FAILURE
            if isinstance(result, Reply):
                dialog.answer(result)
            else:
                self._spawn(self._deliver(result))
        elif event is Event.START_TLS:
            self._spawn(self._start_tls())

    def _spawn(self, work: Any) -> None:
        self._busy = True
        self.listener.spawn(work)

    async def _deliver(self, result: Awaitable[Reply]) -> None:
        try:
            reply = await result
        except Exception:
            self.listener.log.exception("delivery failed", uuid=self.session.uuid)
            reply = replies.TEMPORARY_FAILURE
        self._busy = False
        self.dialog.answer(reply)
        self._set_reading(True)
        self._pump()

    async def _start_tls(self) -> None:
        transport, context = self.transport, self.listener.tls_context
        assert transport is not None
        assert context is not None
        transport.write(self.dialog.take_output())
        try:
            upgraded = await self.loop.start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=self.listener.read_timeout
            )
        except (OSError, ssl.SSLError, asyncio.CancelledError) as error:
            self.listener.log.debug("TLS handshake failed", uuid=self.session.uuid, error=str(error))
            self.abort()
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        self._busy = False
        if upgraded is None or self.transport is None:
            return
        self.transport = upgraded
        self.session.ssl = upgraded.get_extra_info("peercert") or {}
        self._deadline = self.loop.time() + self.listener.read_timeout
        self.dialog.tls_started()
        self._pump()

    def _close(self, transport: asyncio.Transport) -> None:
        if self._lingering or transport.is_closing():
            return
        if self.dialog.quit or self._eof or not transport.can_write_eof():
            transport.close()
            return
        self._lingering = True
        self._deadline = self.loop.time() + LINGER
        transport.write_eof()

    def _set_reading(self, on: bool) -> None:
        transport = self.transport
        if transport is None or transport.is_closing() or transport.is_reading() is on:
            return
        if on:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def _check_writing(self, transport: asyncio.Transport, now: float) -> bool:
        """Cut a client that does not read its replies; say whether it was cut."""
        size = transport.get_write_buffer_size()
        if not size:
            self._stuck = None
        elif self._stuck is None or size < self._stuck[1]:
            self._stuck = (now, size)
        elif now - self._stuck[0] >= self.listener.write_timeout:
            self.listener.log.debug("client does not read its replies", uuid=self.session.uuid)
            transport.abort()
            return True
        return False

    def _check_body(self, size: int, now: float) -> None:
        """Cut a message that has stalled, or that is slower than `MIN_RATE` over a read timeout."""
        timeout = self.listener.read_timeout
        begun = self._deadline - timeout
        if self._window is None or self._window[0] != begun:
            self._window = (begun, begun, 0)
        _, start, counted = self._window
        if now - max(self._touched, begun) >= timeout:
            self.kill(replies.TIMEOUT)
        elif now - start >= timeout:
            if size - counted < MIN_RATE * timeout:
                self.kill(replies.TOO_SLOW)
            else:
                self._window = (begun, now, size)


class Listener:
    """All connections of one listening socket: their number, their deadlines, their end.

    `read_timeout`, `write_timeout`: seconds. `max_connections`, `max_per_ip`: counts, 0 for no limit.
    """

    def __init__(
        self,
        rules: Rules,
        backend: Backend,
        log: Logger,
        *,
        read_timeout: float = 60.0,
        write_timeout: float = 10.0,
        max_connections: int = 1000,
        max_per_ip: int = 0,
        tls_context: ssl.SSLContext | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.rules = rules
        self.backend = backend
        self.log = log
        self.read_timeout = read_timeout
        self.write_timeout = write_timeout
        self.max_connections = max_connections
        self.max_per_ip = max_per_ip
        self.tls_context = tls_context
        self.trace = trace
        self.connections: set[SMTP] = set()
        self._per_ip: Counter[str] = Counter()
        self._turned_away = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._interval = min(1.0, max(0.02, min(read_timeout, write_timeout) / 4))
        self._timer = self.loop.call_later(self._interval, self._sweep)

    async def listen(self, bound: BoundSocket, implicit_tls: ssl.SSLContext | None = None) -> None:
        """Accept connections on a socket; `implicit_tls`: speak TLS from the first byte."""

        def connection() -> SMTP:
            return SMTP.of(self)

        handshake = self.read_timeout if implicit_tls is not None else None
        serve = self.loop.create_unix_server if isinstance(bound.address, UnixAddress) else self.loop.create_server
        self._server = await serve(
            connection, sock=bound.socket, ssl=implicit_tls, ssl_handshake_timeout=handshake, backlog=BACKLOG
        )

    def add(self, connection: SMTP) -> bool:
        """Register a connection; say whether there is room for it."""
        self.connections.add(connection)
        self._idle.clear()
        full = 0 < self.max_connections < len(self.connections)
        if self.max_per_ip:
            host = _host(connection)
            self._per_ip[host] += 1
            full = full or self._per_ip[host] > self.max_per_ip
        if full:
            self._turned_away += 1
            return False
        self.backend.connected(connection)
        return True

    def remove(self, connection: SMTP) -> None:
        """Forget a connection that is closed."""
        self.connections.discard(connection)
        if self.max_per_ip:
            host = _host(connection)
            self._per_ip[host] -= 1
            if not self._per_ip[host]:
                del self._per_ip[host]
        self.backend.disconnected(connection)
        if not self.connections:
            self._idle.set()

    def spawn(self, work: Any) -> None:
        """Run a coroutine that outlives its connection, but not the listener."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Close the socket, end every session politely, and wait until all are gone and all is delivered."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.drain()
        await self._idle.wait()
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Close everything at once; nothing is left when it returns. May be called twice."""
        if self._server is not None:
            self._server.close()
        self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        for connection in list(self.connections):
            connection.abort()
        await self._idle.wait()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in list(self.connections):
            connection.check(now)
        if self._turned_away:
            self.log.warning("connections turned away", count=self._turned_away, open=len(self.connections))
            self._turned_away = 0
        self._timer = self.loop.call_later(self._interval, self._sweep)


def _host(connection: SMTP) -> str:
    peer = connection.session.peer
    return str(peer[0]) if isinstance(peer, tuple) else ""
