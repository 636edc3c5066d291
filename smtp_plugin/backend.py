"""The backend behind the SMTP server: the registry of connections, and what happens to an accepted message.

The specification's Backend, in Python: it is told of every connection and is handed every message. With `delivery` a
worker decides about it; without, it is logged and accepted, and nothing waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from ..container.protocols import Logger
from .delivery.event import Arrival
from .delivery.history import History
from .delivery.observers import Observers, ReceivedMail
from .delivery.pending import Pending
from .delivery.verdict import CONTINUE, FAILED, Verdict
from .delivery.workers import Delivery
from .protocol import replies
from .protocol.replies import Reply
from .server.connection import Connection
from .session import ConnectionInfo, Envelope, Session, new_uuid


class Backend:
    """Every connection by its uuid, the last messages, and the log of what they do.

    `delivery`: set while there are workers to ask; None accepts every message.
    """

    def __init__(self, log: Logger, history: History | None = None) -> None:
        self.delivery: Delivery | None = None
        self.observers = Observers(log)
        self.history = history or History(0)
        self._log = log
        self._debug = log.enabled("DEBUG")
        self._info = log.enabled("INFO")
        self._connections: dict[str, Connection] = {}
        self._subscribers: list[Callable[[], None]] = []

    def connected(self, connection: Connection) -> None:
        """Register a connection."""
        session = connection.session
        self._connections[session.uuid] = connection
        if self._debug:
            self._log.debug("connection opened", uuid=session.uuid, remote_addr=session.remote_addr)
        self._changed()

    def disconnected(self, connection: Connection) -> None:
        """Forget a connection."""
        session = connection.session
        self._connections.pop(session.uuid, None)
        if self._debug:
            self._log.debug("connection closed", uuid=session.uuid, remote_addr=session.remote_addr)
        self._changed()

    def deliver(self, session: Session, envelope: Envelope) -> Reply | Pending | Awaitable[Verdict]:
        """Accept a message, or hand it to a worker and to whoever observes; log it."""
        at = time.time()
        delivery = self.delivery
        if delivery is None and not self.observers:
            if self._info:
                self._log.info("email received", **_told(session, envelope))
            self.history.add(session, envelope, at, replies.ACCEPTED)
            if self._subscribers:
                self._changed()
            return replies.ACCEPTED
        content = envelope.content
        assert isinstance(content, bytes)
        arrival = Arrival.of(session, envelope, new_uuid(), at)
        small = delivery is not None and delivery.is_small(content)
        if delivery is None or self.observers or not small:
            return self._deliver(session, envelope, arrival, content, small=small)
        pending = Pending()

        def told(verdict: Verdict, reason: str) -> None:
            # Without deliveries the sessions have ended, each with STOPPING: what a worker says now, nobody hears.
            reply = verdict.reply if self.delivery is not None else replies.STOPPING
            self._record(session, envelope, arrival, reply, reason)
            pending.settle(verdict)

        delivery.submit(arrival, content, told)
        return pending

    async def _deliver(
        self, session: Session, envelope: Envelope, arrival: Arrival, content: bytes, *, small: bool
    ) -> Verdict:
        verdict, reason = CONTINUE, ""
        try:
            if self.delivery is not None:
                run = self.delivery.ask if small else self.delivery.deliver
                verdict, reason = await run(arrival, content)
            if self.observers and not await self._observed(session, arrival, content, verdict.reply, reason):
                verdict, reason = FAILED, "it could not be kept"
        except asyncio.CancelledError:
            self._record(session, envelope, arrival, replies.STOPPING, "the host ended")
            raise
        self._record(session, envelope, arrival, verdict.reply, reason)
        return verdict

    def _record(self, session: Session, envelope: Envelope, arrival: Arrival, reply: Reply, reason: str) -> None:
        """Write down what became of a message."""
        if self._info:
            told = _told(session, envelope)
            self._log.info("email received", **told, id=arrival.id, code=reply.code, reply=reply.text)
        self.history.add(session, envelope, arrival.at, reply, message_id=arrival.id, reason=reason)
        self._changed()

    async def _observed(self, session: Session, arrival: Arrival, content: bytes, reply: Reply, reason: str) -> bool:
        """Tell the observers; say whether the message is safe: a worker has decided about it, or they have taken it."""
        transcript = [*(session.transcript or ()), f"C: ({len(content)} bytes of message)"]
        mail = ReceivedMail(
            **msgspec.structs.asdict(arrival),
            content=content,
            code=reply.code,
            reply=reply.wire_text,
            reason=reason,
            transcript=transcript,
        )
        return await self.observers.tell(mail) or self.delivery is not None

    def command(self, session: Session, line: str) -> None:
        """Log a command line, whose credentials the dialog has masked, and keep it for the transcript."""
        if session.transcript is not None:
            session.transcript.append(f"C: {line}")
        if self._debug:
            self._log.debug("command", uuid=session.uuid, line=line)
        self._changed()

    def connections(self) -> list[ConnectionInfo]:
        """Return what is open now, oldest first."""
        return [
            ConnectionInfo.of(connection.session, connection.envelope)
            for connection in self._connections.values()
            if not connection.dialog.closing
        ]

    def close_connection(self, uuid: str) -> bool:
        """Close a connection at once, with a 421; say whether there was one."""
        connection = self._connections.pop(uuid, None)
        if connection is None or connection.dialog.closing:
            return False
        connection.kill(replies.CLOSED_BY_ADMIN)
        self._changed()
        return True

    @property
    def traced(self) -> bool:
        """Whether there is a use for the clients' commands."""
        return self._debug or bool(self.observers or self._subscribers)

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Subscribe to changes of `connections()`; return the function that unsubscribes.

        `callback` is called before each command of a client, which may change what is shown, and after a connection
        has opened or closed and a message was decided. Changes come in bursts: note that there was one, and read the
        list in a later turn of the event loop. It must not raise.
        """
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def _changed(self) -> None:
        for callback in tuple(self._subscribers):
            callback()


def _told(session: Session, envelope: Envelope) -> dict[str, object]:
    """Return what the log tells of a message."""
    return {
        "uuid": session.uuid,
        "remote_addr": session.remote_addr,
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "size": len(envelope.content or b""),
    }
