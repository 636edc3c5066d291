"""How much of the loop and of memory one connection takes: its turns, its unread input, and its unsent replies.

What we want: a client that sends thousands of commands at once, or reads no reply, holds up no other connection and
fills no memory. What we do: the dialog handles a share of the input in one turn (`Event.YIELD`), and a connection reads
at most one large piece in a turn. Above `MAX_UNSENT` bytes of replies the connection neither reads nor answers. What
such a connection holds is charged to the budget of the messages, so that memory has one bound.
What can still fail: the kernel's own buffers of a socket are not counted.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiosmtpd.smtp

from ...container.states import Machine
from ..protocol.dialog import Dialog
from .proxy import ProxyHeader
from .states import State

MAX_UNHANDLED: Final = 65536
"""Unhandled bytes of one connection above which reading pauses."""
MAX_UNSENT: Final = 16384
"""Bytes of replies that the client has not read, above which the connection stops reading and answering."""
LARGE_READ: Final = 65536
"""Bytes of one read after which the connection reads on in the next turn of the loop: uvloop reads up to 32 times."""


class Flow(aiosmtpd.smtp.SMTP):
    """The flow control of a `Connection`."""

    dialog: Dialog
    transport: asyncio.Transport | None = None
    _proxy_header: ProxyHeader | None = None
    _state: Machine[State]
    # On the class: a connection that has its turns pays nothing.
    _closed = None  # aiosmtpd's `__del__` looks for it
    _resting = False  # other connections have their turn first
    _congested = False  # the client does not read its replies
    _yielded = False  # there is input to handle when the client has read them
    _held = 0  # bytes charged to the budget

    def proceed(self) -> None:
        """Do what the dialog asks for, send its replies, close where it has ended."""
        raise NotImplementedError

    # Called by the transport.

    def pause_writing(self) -> None:
        """Stop reading and answering: a client that does not read its replies gets no more of them."""
        self._congested = True
        self._control_reading()

    def resume_writing(self) -> None:
        """Read and answer on."""
        self._congested = False
        self._control_reading()
        if self._yielded:
            self._yielded = False
            self.loop.call_soon(self._go_on)

    # The share of one connection.

    def _go_on(self) -> None:
        """Handle more of the input, once the others have had their turn and the client reads its replies."""
        if self._congested:
            self._yielded = True
            return
        self._state.on("done")
        self.dialog.go_on()
        self.proceed()
        self._control_reading()

    def _rest(self) -> None:
        """Read no more in this turn of the loop."""
        if not self._resting:
            self._resting = True
            self._control_reading()
            self.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        self._resting = False
        self._control_reading()

    def _control_reading(self) -> None:
        """Read, unless the client does not read itself, much input waits, or others have their turn."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        header = self._proxy_header
        waiting = self.dialog.waiting_bytes if header is None else len(header.rest)
        full = self._congested or waiting > MAX_UNHANDLED
        if full or self._held:
            self._charge(waiting + transport.get_write_buffer_size() if full else 0)
        on = not (full or self._resting)
        if transport.is_reading() is on:
            return
        if on:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def _charge(self, size: int) -> None:
        """Charge the budget with the bytes that this connection holds apart from its message."""
        self.dialog.rules.budget.used += size - self._held
        self._held = size
