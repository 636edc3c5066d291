"""The SMTP server on the wire: one connection, a class derived from aiosmtpd's `SMTP`.

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
from collections import deque
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, cast

import aiosmtpd.smtp
from aiosmtpd.proxy_protocol import ProxyData, get_proxy

from ...container.net.address import peer_text
from ..delivery.pending import Pending
from ..delivery.verdict import Verdict
from ..protocol import replies
from ..protocol.body import Body
from ..protocol.dialog import Dialog
from ..protocol.phases import Event
from ..protocol.replies import Reply
from ..session import Envelope, Session

if TYPE_CHECKING:
    from .listener import Listener

LINGER: Final = 2.0
"""Seconds for which a connection that we end is still read from."""
MIN_RATE: Final = 500
"""Bytes a second below which a message is too slow, over a read timeout."""
RECIPIENT: Final = 600
"""Bytes that a recipient of a message that waits for its worker is charged to the budget with."""
MAX_WAITING: Final = 65536
"""Unhandled bytes of one connection above which reading pauses."""


class Connection(aiosmtpd.smtp.SMTP):
    """One connection: the shell of I/O around a `Dialog`."""

    dialog: Dialog
    listener: Listener
    session: Session
    transport: asyncio.Transport | None
    _window: tuple[float, float, int] | None
    _stuck: tuple[float, int]
    _lingering: bool
    _proxy: asyncio.StreamReader | None

    @classmethod
    def of(cls, listener: Listener) -> Self:
        """Return a connection for a listener.

        Past aiosmtpd's constructor, which inspects its handler for 130 us: the listener has done that work once.
        """
        self = cls.__new__(cls)
        self.listener = listener
        self.loop = listener.loop
        self._prepare()
        return self

    def _prepare(self) -> None:
        self.transport = None
        self._deadline = 0.0
        self._touched = 0.0
        self._window = None
        self._sent = 0
        self._stuck = (0.0, -1)
        self._lingering = False
        self._unread = False
        self._handshaking = False
        self._eof = False
        self._busy = False
        self._proxy = None

    @property
    def envelope(self) -> Envelope:
        """The transaction under way."""
        return cast("Envelope", self.dialog.envelope)  # its session makes no other

    @envelope.setter
    def envelope(self, envelope: Envelope) -> None:
        self.dialog.envelope = envelope

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client, or turn it away where there are too many."""
        transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of asyncio's
        self.transport = transport
        listener = self.listener
        session = self._create_session()
        if listener.transcript_lines:
            session.transcript = deque(maxlen=listener.transcript_lines)
        self.session = session
        self.dialog = Dialog(listener.rules, session, partial(listener.trace, session) if listener.trace else None)
        if transport.get_extra_info("sslcontext") is not None:
            self.dialog.tls = True
            session.ssl = transport.get_extra_info("peercert") or {}
        if not listener.add(self):
            self.dialog.close(replies.TOO_MANY_CONNECTIONS)
        elif listener.proxy_protocol:
            self._deadline = self.loop.time() + listener.read_timeout
            self._proxy = asyncio.StreamReader(loop=self.loop)
            self._spawn(self._read_proxy(self._proxy))
            return
        else:
            self.dialog.greet()
        self._pump()

    def data_received(self, data: bytes) -> None:
        """Handle what arrived."""
        dialog = self.dialog
        if self._proxy is not None:
            self._proxy.feed_data(data)
            return
        dialog.receive(data)
        if dialog.event is not None or dialog.closing or self._busy or self._eof:
            self._pump()
            return
        self._flush()  # what nearly every call comes to: a reply, and nothing to wait for

    def eof_received(self) -> bool:
        """Answer everything that came before the client shut its sending side, then close."""
        self._eof = True
        if self._proxy is not None:
            self._proxy.feed_eof()
        return self._busy and not self.dialog.tls  # a TLS transport cannot be kept open in one direction

    def connection_lost(self, error: Exception | None) -> None:
        """Let go of everything; a delivery under way goes on."""
        if self.transport is None:
            return
        self.dialog.close(None)
        self.transport = None
        if self._proxy is not None:
            self._proxy.feed_eof()
        self.listener.remove(self)

    def pause_writing(self) -> None:
        """Stop reading: a client that does not read its replies gets no more of them."""
        self._unread = True
        self._set_reading(False)

    def resume_writing(self) -> None:
        """Read on."""
        self._unread = False
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
        if self._lingering or self._proxy is not None:
            if now >= self._deadline and not transport.get_write_buffer_size():
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
        if self._handshaking:
            if dialog.closing:  # nothing can be said in the middle of a handshake
                self._give_up(None)
            return
        self._flush()
        if dialog.closing:
            self._close(transport)
        elif self._busy:
            if dialog.waiting_bytes > MAX_WAITING:
                self._set_reading(False)
        elif self._eof:
            self._close(transport)

    def _flush(self) -> None:
        """Send what the dialog says. A reply sets the deadline; bytes without one are progress of a body at most."""
        out = self.dialog.take_output()
        if out:
            self._send(out)
            self._deadline = self.loop.time() + self.listener.read_timeout
        else:
            self._touched = self.loop.time()

    def _send(self, data: bytes) -> None:
        """Send bytes, counted for `_check_writing`."""
        if self.session.transcript is not None:
            self.session.transcript.extend(f"S: {line}" for line in data.decode("ascii", "replace").splitlines())
        if self.transport is not None:
            self._sent += len(data)
            self.transport.write(data)

    def _handle(self, event: Event | None) -> None:
        dialog = self.dialog
        if event is Event.DELIVER:
            body = dialog.take_body()
            try:
                result = self.listener.backend.deliver(self.session, self.envelope)
            except Exception:
                self.listener.log.exception("delivery failed", uuid=self.session.uuid)
                result = replies.TEMPORARY_FAILURE
            if isinstance(result, Pending) and result.verdict is not None:
                dialog.answer(result.verdict.reply, close=result.verdict.close)
                _release(body)
            elif isinstance(result, Pending):
                if body is not None:
                    body.charge(RECIPIENT * len(dialog.envelope.rcpt_tos))
                self._wait()
                self.listener.waiting += 1
                result.then(lambda verdict: self._decided(verdict, body))
            elif isinstance(result, Reply):
                dialog.answer(result)
                _release(body)
            else:
                self._spawn(self._deliver(result, body))
        elif event is Event.START_TLS and self.listener.tls_context is not None:
            self._spawn(self._start_tls(self.listener.tls_context))
        elif event is Event.DELEGATE and dialog.delegated is not None:
            self._spawn(self._delegate(*dialog.delegated))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what really waits."""
        self._wait()
        self.listener.spawn(work)

    def _wait(self) -> None:
        """Handle nothing more until what really waits says that it is done."""
        self._busy = True
        said = self.dialog.take_output()
        if said:
            self._send(said)

    def _create_session(self) -> Session:
        assert self.transport is not None
        return Session(self.loop, self.transport.get_extra_info("peername"))

    async def _delegate(self, verb: str, argument: str) -> None:
        """Handle a command that is not the dialog's; see `handler.SMTP`."""
        raise NotImplementedError(verb)

    async def _read_proxy(self, reader: asyncio.StreamReader) -> None:
        """Read the PROXY header, then begin the dialog; a connection without a valid one is closed without a word."""
        try:
            data = await get_proxy(reader)
            welcome = await self._proxied(data)
        except (asyncio.IncompleteReadError, ConnectionError):
            welcome = False
        rest = bytes(reader._buffer)  # type: ignore[attr-defined]  # what came behind the header is the dialog's
        self._proxy = None
        self._busy = False
        if not welcome:
            self.listener.log.debug(
                "no valid PROXY header", uuid=self.session.uuid, remote_addr=peer_text(self.session.peer)
            )
            self.dialog.close(None)
        elif not self.dialog.closing:
            self.dialog.greet()
            if rest:
                self.dialog.receive(rest)
        self._pump()

    async def _proxied(self, data: ProxyData) -> bool:
        """Take what the PROXY header says; say whether it is good."""
        self.session.proxy_data = data
        if not data.valid:
            return False
        host = str(data.src_addr) if data.src_addr is not None and data.src_port is not None else ""
        if host:
            self.session.remote_addr = peer_text((host, data.src_port))
        if not self.listener.admit(self, host):
            self.dialog.close(replies.TOO_MANY_CONNECTIONS)
        return True

    async def _deliver(self, result: Awaitable[Reply | list[Reply] | Verdict], body: Body | None) -> None:
        try:
            said = await result
        except Exception:
            self.listener.log.exception("delivery failed", uuid=self.session.uuid)
            said = replies.TEMPORARY_FAILURE
        finally:
            _release(body)  # also when the client is gone: the message was in memory until now
        self._answer(said)

    def _decided(self, verdict: Verdict, body: Body | None) -> None:
        _release(body)
        self.listener.decided()
        self._answer(verdict)

    def _answer(self, said: Reply | list[Reply] | Verdict) -> None:
        """Say what became of the message, and go on."""
        self._busy = False
        if isinstance(said, Verdict):
            self.dialog.answer(said.reply, close=said.close)
        else:
            self.dialog.answer(*(said if isinstance(said, list) else [said]))
        self._set_reading(True)
        self._pump()

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands after STARTTLS; a connection that fails in it is closed."""
        assert self.transport is not None
        self._handshaking = True
        try:
            upgraded = await self.loop.start_tls(
                self.transport, self, context, server_side=True, ssl_handshake_timeout=self.listener.read_timeout
            )
        except BaseException as error:
            self.listener.log.debug("TLS handshake failed", uuid=self.session.uuid, error=str(error))
            self._give_up(None)
            if not isinstance(error, Exception):
                raise
            await self._tls_failed(error)
            return
        self._handshaking = False
        self._busy = False
        if upgraded is None or upgraded.is_closing() or self.transport is None:
            self._give_up(None)
            return
        self.transport = upgraded
        self.session.ssl = upgraded.get_extra_info("peercert") or {}
        self.dialog.tls_started()
        self._tls_started()
        self._deadline = self.loop.time() + self.listener.read_timeout
        self._pump()

    def _give_up(self, error: Exception | None) -> None:
        """End a connection inside a handshake: there the TLS layer does not tell us of a connection that is lost."""
        self._handshaking = False
        if self.transport is not None:
            self.transport.abort()
            self.connection_lost(error)

    def _tls_started(self) -> None:
        """Take notice of a handshake that is done; for a handler's hook."""

    async def _tls_failed(self, error: Exception) -> None:
        """Take notice of a handshake that failed; for a handler's hook."""

    def _close(self, transport: asyncio.Transport) -> None:
        """Close: at once behind QUIT and behind the client's end, else as the module says. `check` sees to the rest."""
        if self._lingering or transport.is_closing():
            return
        self._lingering = True
        self._deadline = self.loop.time() + LINGER
        if self.dialog.quit or self._eof or not transport.can_write_eof():
            transport.close()  # inside TLS it waits for the client's goodbye, which may never come
        else:
            transport.write_eof()

    def _set_reading(self, on: bool) -> None:
        transport = self.transport
        if transport is None or transport.is_closing() or transport.is_reading() is on:
            return
        if on:
            if not self._unread:  # a delivery that is done is no reason to hear a client that does not
                transport.resume_reading()
        else:
            transport.pause_reading()

    def _check_writing(self, transport: asyncio.Transport, now: float) -> bool:
        """Cut a client that does not read its replies; say whether it was cut."""
        waiting = transport.get_write_buffer_size()
        read = self._sent - waiting
        if not waiting or read > self._stuck[1]:
            self._stuck = (now, read)
        elif now - self._stuck[0] >= self.listener.write_timeout:
            self.listener.log.debug("client does not read its replies", uuid=self.session.uuid)
            transport.abort()
            return True
        return False

    def _check_body(self, size: int, now: float) -> None:
        """Cut a message that has stalled, or that is slower than `MIN_RATE` over a read timeout.

        The rate is measured from the first look at a message on: BDAT has no reply that would tell when it began, and
        a client that has gone silent is always found stalled before it is found slow.
        """
        timeout = self.listener.read_timeout
        begun = self._deadline - timeout
        if self._window is None or self._window[0] != begun:
            self._window = (begun, now, size)
        _, start, counted = self._window
        if now - max(self._touched, begun) >= timeout:
            self.kill(replies.TIMEOUT)
        elif now - start >= timeout:
            if size - counted < MIN_RATE * timeout:
                self.kill(replies.TOO_SLOW)
            else:
                self._window = (begun, now, size)


def _release(body: Body | None) -> None:
    if body is not None:
        body.release()
