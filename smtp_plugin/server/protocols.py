"""The contracts between a connection, its listener and the backend that takes the messages."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from ...container.protocols import Logger
from ..delivery.outcome import Outcome, Pending
from ..protocol.refusal import Refusal
from ..protocol.replies import Reply
from ..protocol.rules import Rules
from ..session import Envelope, Session
from .deadlines import Timeouts

Trace = Callable[[Session, str], None]
"""Takes a session and each of its command lines, credentials masked, controls unescaped."""
TraceReplies = Callable[[Session, bytes], None]
"""Takes a session and the replies that are sent to it, whole lines."""


class ServedConnection(Protocol):
    """A connection, as its listener and the backend use it (connection.py)."""

    @property
    def session(self) -> Session:
        """The connection's session."""
        ...

    @property
    def envelope(self) -> Envelope:
        """The transaction under way."""
        ...

    @property
    def closing(self) -> bool:
        """Whether the session has ended; then the connection only waits for its close."""
        ...

    @property
    def idle_since(self) -> float | None:
        """The loop's time since which the client owes a command; None while a message is under way."""
        ...

    def check(self, now: float) -> None:
        """Look at the deadlines. `now`: the loop's time in seconds."""
        ...

    def drain(self) -> None:
        """End the session as soon as it is polite: now, or after the message under way."""
        ...

    def kill(self, reply: Reply | None) -> None:
        """End the session now, with a last reply or without one; a message under way is lost."""
        ...

    def abort(self) -> None:
        """Close the socket at once, with unsent replies or without."""
        ...

    def cancel_delivery(self) -> bool:
        """Cancel the delivery under way; return whether it can be cancelled, and so ends soon."""
        ...


class ServerBackend(Protocol):
    """Knows the connections of a server, and takes its messages."""

    def connected(self, connection: ServedConnection) -> None:
        """Register a new connection."""
        ...

    def disconnected(self, connection: ServedConnection) -> None:
        """Forget a connection that has ended."""
        ...

    def deliver(self, session: Session, envelope: Envelope) -> Pending[Outcome]:
        """Take a message and return its outcome. Raising is a temporary refusal."""
        ...

    def report(self, session: Session, refusal: Refusal) -> None:
        """Take a refusal: of a command, of a message that `deliver` did not get, or of the session. Must not raise."""
        ...


class Owner(Protocol):
    """The listener of a connection (listener.py), which says what each setting means."""

    loop: asyncio.AbstractEventLoop
    rules: Rules
    backend: ServerBackend
    log: Logger
    timeouts: Timeouts
    tls_context: ssl.SSLContext | None
    proxy_protocol: bool
    trace: Trace | None
    trace_replies: TraceReplies | None
    transcript_lines: int
    turned_away: int

    def add(self, connection: ServedConnection) -> Reply | None:
        """Register a connection; return the refusal where there is no room for it."""
        ...

    def admit(self, connection: ServedConnection, host: str) -> Reply | None:
        """Count a connection for its client; return the refusal where this client has no room for one more."""
        ...

    def may_linger(self, connection: ServedConnection, host: str) -> bool:
        """Count a connection that is turned away; return whether it may wait for its client to read the reply."""
        ...

    def remove(self, connection: ServedConnection) -> None:
        """Forget a connection that is closed."""
        ...

    def report_end(self, session: Session, reason: str, setting: str = "") -> None:
        """Report that a session ends without a reply. `setting`: the one that decides, and its value."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that may outlive its connection, but not the listener."""
        ...

    def delivery_began(self, connection: ServedConnection) -> None:
        """Count a message whose outcome is pending."""
        ...

    def delivery_ended(self, connection: ServedConnection) -> None:
        """Count one such message less."""
        ...
