"""The SMTP server on the wire: one connection, a class derived from aiosmtpd's `SMTP`.

What we want: neither a task, a future nor a timer for a command. What does not work: aiosmtpd's own loop, which awaits
every line and arms a timer for every command. What we do: `data_received` hands the bytes to a `Dialog`, and sends its
replies in one write. Only what takes time gets a task: a delivery, a handler's command, a TLS handshake. One sweep per
listener looks at every connection's deadline.

`Connection` is a subclass of `aiosmtpd.smtp.SMTP`, because the server is to be aiosmtpd's: code that is written for it
finds the class, its attributes and its hooks. A plain connection uses the attributes `loop`, `transport`, `session` and
`envelope` of it, and overrides everything that the transport calls. It passes the constructor by, which inspects the
handler for 130 us in every connection: `of` sets the few attributes itself. `handlers/` uses the rest of aiosmtpd, by
its constructor; `AIOSMTPD_NAMES` in handlers/smtp.py lists the members that are private.

What the connection does now is a state of a table (states.py). How it ends: after QUIT it is closed. When the server
ends it, the server's sending side is shut, and input is read and dropped for `Timeouts.linger` seconds. A socket that
is closed with unread bytes in it resets the connection, and the client would never see the last reply.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from functools import partial
from typing import Any, Final, Self

from ...container.heap import CONNECTION_BYTES, HEAP
from ...container.net.address import peer_host
from ...container.states import Machine
from ..delivery.outcome import FAILED, Outcome, Pending
from ..protocol.body import Body
from ..protocol.dialog import Dialog
from ..protocol.phases import Event
from ..protocol.replies import Reply
from ..session import Envelope, Session
from . import states
from .deadlines import Progress
from .failing import FailingReply
from .flow import LARGE_READ, MAX_UNHANDLED, MAX_UNSENT
from .handshake import note_tls
from .opening import Opening
from .protocols import Owner
from .proxy import ProxyHeader

RECIPIENT_CHARGE: Final = 600
"""Bytes that the budget is charged for a recipient of a message that waits for its outcome."""


class Connection(Opening):
    """One connection: the shell of I/O around a `Dialog`."""

    # On the class: a connection pays for what it uses.
    _pending: Pending[Outcome] | None = None
    _body: Body | None = None  # of the message whose outcome is pending
    _touched = 0.0
    _sent = 0
    _failing: FailingReply | None = None  # the reply that a rule spoils now
    _hurries = False  # the host stops, so that no rule delays a reply
    _progress: Progress | None = None  # made by the first sweep, which most short sessions do not see

    @classmethod
    def of(cls, listener: Owner) -> Self:
        """Return a connection of a listener, past aiosmtpd's constructor."""
        self = cls.__new__(cls)
        self.listener = listener
        self.loop = listener.loop
        return self

    @property
    def envelope(self) -> Envelope:
        """The transaction under way."""
        return self.dialog.envelope  # type: ignore[return-value]  # its session makes no other

    @envelope.setter
    def envelope(self, envelope: Envelope) -> None:
        self.dialog.envelope = envelope

    @property
    def closing(self) -> bool:
        """Whether the session has ended; then the connection only waits for its close."""
        return self.dialog.closing

    # Called by the transport.

    def connection_made(self, transport: Any) -> None:  # uvloop's are not a subclass of asyncio's
        """Greet the client, or turn it away where there are too many."""
        self.transport = transport
        transport.set_write_buffer_limits(MAX_UNSENT)
        listener = self.listener
        self.session = session = self._create_session()
        if listener.transcript_lines:
            session.transcript = deque(maxlen=listener.transcript_lines)
        trace = partial(listener.trace, session) if listener.trace else None
        self.dialog = Dialog(listener.rules, session, trace, partial(listener.backend.report, session))
        if isinstance(transport.get_extra_info("sslcontext"), ssl.SSLContext):
            self.dialog.tls = True
            note_tls(session, transport)
        refusal = listener.add(self)
        if refusal is None and listener.proxy_protocol:
            self._state = Machine("connection", states.CONNECTION, states.PROXY)
            self._since = self.loop.time()
            self._proxy_header = ProxyHeader()
            return
        self._state = Machine("connection", states.CONNECTION, states.READING)
        if refusal is None:
            self.dialog.greet()
            if self.dialog.event is None:
                self._flush()
            else:
                self.proceed()
        else:
            self._turn_away(refusal, peer_host(session.peer))
            self.proceed()

    def data_received(self, data: bytes) -> None:
        """Handle the bytes that arrived."""
        dialog = self.dialog
        if len(data) > LARGE_READ:
            self._rest()
        if self._state.state is states.READING:
            dialog.receive(data)
            if dialog.event is None and not dialog.closing:
                self._flush()  # the way of nearly every call: a reply, and nothing to wait for
            else:
                self.proceed()
        elif self._proxy_header is not None:
            self._handle_proxy_header(self._proxy_header.feed(data))
            self._control_reading()
        else:
            dialog.receive(data)
            self.proceed()

    def eof_received(self) -> bool:
        """Answer the input, then close: the client has shut its sending side. Return whether to keep the transport."""
        state = self._state.state
        waiting = state not in states.HANDLING and state not in states.OVER
        self._state.on("client ended")
        if self._proxy_header is not None:
            self._handle_proxy_header(self._proxy_header.end())
        return waiting and not self.dialog.tls  # a TLS transport cannot be kept open in one direction

    def connection_lost(self, error: Exception | None) -> None:
        """Let go of everything; a delivery under way goes on."""
        if self.transport is None:
            return
        self._state.on("lost")
        if not self.dialog.closing:
            self.dialog.close(None)
        if self._held:
            self._charge(0)
        if self._failing is not None:
            self._failing.cancel()
            self._failing = None
        self.transport = None
        self.listener.remove(self)
        HEAP.freed(CONNECTION_BYTES)

    # Called by the listener and the backend.

    def drain(self) -> None:
        """End the session as soon as it is polite: now, or after the message under way."""
        self._hurries = True
        if self._failing is not None:
            self._failing.hurry()
        self.dialog.drain()
        self.proceed()

    def kill(self, reply: Reply | None) -> None:
        """End the session now, with a last reply or without one; a message under way is lost."""
        if self._failing is not None:
            self._failing.cancel()
            self._failing = None
        self.dialog.close(reply)
        self.proceed()

    def cancel_delivery(self) -> bool:
        """Cancel the delivery under way; return whether it can be cancelled, and so ends soon."""
        return self._pending is not None and self._pending.cancel()

    @property
    def idle_since(self) -> float | None:
        """The loop's time since which the client owes a command; None while a message is under way, and at the end."""
        dialog = self.dialog
        in_message = dialog.busy or dialog.body_bytes is not None
        return None if in_message or dialog.closing or self._state.state not in states.HANDLING else self._since

    def check(self, now: float) -> None:
        """Look at the deadlines. `now`: the loop's time in seconds. Called by the listener's sweep."""
        transport = self.transport
        if transport is None:
            return
        state, timeouts = self._state.state, self.listener.timeouts
        progress = self._progress = self._progress or Progress()
        if progress.is_stuck(now, self._sent, transport.get_write_buffer_size(), timeouts.write):
            setting = f"smtp.write_timeout: {timeouts.write:g}s"
            self.listener.report_end(self.session, "the client reads no reply", setting)
            transport.abort()
        elif state is states.LINGERING or state in states.EXPECTING_HEADER:
            longest = timeouts.linger if state is states.LINGERING else timeouts.opening
            if now - self._since >= longest + (timeouts.write if transport.get_write_buffer_size() else 0):
                if state is not states.LINGERING:
                    self.listener.report_end(self.session, "no PROXY header in time", "smtp.proxy_protocol: true")
                transport.abort()
        elif state in states.HANDLING or self._yielded:
            refusal = progress.refusal(now, self.dialog, self._since, self._touched, timeouts)
            if refusal is not None:
                self.kill(refusal)

    # The dialog's events and replies.

    def proceed(self) -> None:
        """Do what the dialog asks for, send its replies, close where it has ended."""
        dialog = self.dialog
        while dialog.event is not None and self._state.state in states.HANDLING:
            self._handle(dialog.next_event())
        transport = self.transport
        if transport is None:
            return
        state = self._state.state
        if state is states.HANDSHAKE:
            if dialog.closing:  # in the middle of a handshake there is no way to send a reply
                self._give_up()
            return
        self._flush()
        if dialog.closing or state is states.ENDED:
            if self._failing is None:
                self._close(transport)
        elif state is not states.READING and dialog.waiting_bytes > MAX_UNHANDLED:
            self._control_reading()

    def _flush(self) -> None:
        """Send the dialog's replies. A reply begins the wait; input without a reply is progress of a body at most."""
        dialog, transport = self.dialog, self.transport
        out = dialog.out
        if out and transport is not None:
            dialog.out = []
            said = b"".join(out)  # `take_output`, without a call for each command
            trace = self.listener.trace_replies
            if trace is not None:
                trace(self.session, said)
            self._sent += len(said)
            transport.write(said)
            self._since = self.loop.time()
        else:
            self._touched = self.loop.time()

    def _handle(self, event: Event | None) -> None:
        if event is Event.DELIVER:
            self._deliver()
        elif event is Event.START_TLS and self.listener.tls_context is not None:
            self._wait("shake hands")
            self.listener.spawn(self._start_tls(self.listener.tls_context))
        elif event is Event.YIELD:
            self._wait("wait")
            self.loop.call_soon(self._go_on)
        elif event is Event.DELEGATE and self.dialog.delegated is not None:
            self._wait("wait")
            self.listener.spawn(self._delegate(*self.dialog.delegated))
        elif event is Event.FAIL:
            self._fail()

    def _wait(self, event: str) -> None:
        """Handle no more input until "done"."""
        self._state.on(event)
        self._flush()

    def _fail(self) -> None:
        """Send a reply as a rule spoils it, then go on. The time that it takes is not the client's."""
        effect, reply = self.dialog.take_effect()
        self._wait("wait")
        if self._hurries:
            effect = effect._replace(delay=0.0, throttle=0)

        def done(cut: bool) -> None:
            self._failing = None
            if cut:
                self.listener.report_end(self.session, "a rule cuts the connection", f"smtp.rules: {effect.rule}")
                self.kill(None)
            else:
                self._go_on()

        self._failing = FailingReply(self.loop, effect, reply, self._say, done)

    def _say(self, piece: bytes) -> None:
        """Send a piece of a reply."""
        self.dialog.out.append(piece)
        self._flush()

    def _create_session(self) -> Session:
        assert self.transport is not None
        return Session(self.loop, self.transport.get_extra_info("peername"))

    async def _delegate(self, verb: str, argument: str) -> None:
        """Handle a command that is not the dialog's; see handlers/smtp.py."""
        raise NotImplementedError(verb)

    # Deliveries.

    def _deliver(self) -> None:
        """Hand the message that is complete to the backend, and answer it: now, or when its outcome is there."""
        dialog = self.dialog
        body = dialog.take_body()
        try:
            pending = self.listener.backend.deliver(self.session, self.envelope)
            outcome = pending.result
        except Exception:
            self.listener.log.exception("delivery failed", uuid=self.session.uuid)
            outcome = FAILED
        if outcome is not None:
            dialog.answer(*outcome.replies, close=outcome.close)
            if body is not None:
                body.release()
                HEAP.freed(body.size)
            return
        if body is not None:
            body.charge(RECIPIENT_CHARGE * len(self.envelope.rcpt_tos))
        self._wait("wait")
        self._pending = pending
        self._body = body
        self.listener.delivery_began(self)
        pending.then(self._answer)

    def _answer(self, outcome: Outcome) -> None:
        """Answer the message whose outcome has come, and go on."""
        if self._body is not None:  # the message was in memory until now, also where the client is gone
            self._body.release()
            HEAP.freed(self._body.size)
        self._pending = self._body = None
        self.listener.delivery_ended(self)
        self._state.on("done")
        self.dialog.answer(*outcome.replies, close=outcome.close)
        self.proceed()
        self._control_reading()

    # The end.

    def _close(self, transport: asyncio.Transport) -> None:
        """Close: at once after QUIT and after the client's end, else as the module says. `check` ends the lingering."""
        if self._state.state is states.LINGERING or transport.is_closing():
            return
        ended = self.dialog.quit or self._state.state in states.CLIENT_ENDED
        self._state.on("close")
        self._since = self.loop.time()
        if ended or not transport.can_write_eof():
            transport.close()  # inside TLS it waits for the client's goodbye, which may never come
        else:
            with suppress(OSError):  # the client has reset the connection, and asyncio does not know it yet
                transport.write_eof()
