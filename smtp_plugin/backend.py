"""The backend of the SMTP server: it registers every connection, and gives every message its outcome.

With `delivery` a worker decides about a message. Without, the message is logged and accepted, and nothing waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec

from ..container.protocols import Logger
from ..container.text import printable
from .delivery.event import Arrival
from .delivery.history import History
from .delivery.jobs import JobDelivery
from .delivery.observers import Observers, ReceivedMail
from .delivery.outcome import ACCEPTED, FAILED, Outcome, Pending, Running
from .delivery.refusals import RefusalReport, Refusals
from .delivery.workers import Delivery
from .protocol import replies
from .protocol.refusal import Refusal
from .server.protocols import ServedConnection
from .session import ConnectionInfo, Envelope, Session, new_uuid

_ACCEPTED: Final = Pending.settled(ACCEPTED)


class Backend:
    """The connections by their uuids, the last messages, and the log of both.

    `delivery`: to the workers that decide about the messages, or to a queue of jobs; None to accept every message.
    `new_id`: makes the id of a message.
    """

    def __init__(self, log: Logger, history: History | None = None) -> None:
        self.delivery: Delivery | JobDelivery | None = None
        self.new_id = new_uuid
        self.observers = Observers(log)
        self.history = history or History(0)
        self._refusals = Refusals(log, self._keep_refusal)
        self._log = log
        self._debug = log.enabled("DEBUG")
        self._info = log.enabled("INFO")
        self._connections: dict[str, ServedConnection] = {}
        self._subscribers: tuple[Callable[[], None], ...] = ()

    def connected(self, connection: ServedConnection) -> None:
        """Register a connection."""
        session = connection.session
        self._connections[session.uuid] = connection
        if self._debug:
            self._log.debug("connection opened", uuid=session.uuid, remote_addr=session.remote_addr)
        if self._subscribers:
            self._changed()

    def disconnected(self, connection: ServedConnection) -> None:
        """Forget a connection."""
        session = connection.session
        self._connections.pop(session.uuid, None)
        if self._debug:
            self._log.debug("connection closed", uuid=session.uuid, remote_addr=session.remote_addr)
        if session.left_out:
            self._refusals.end(session)
        if self._subscribers:
            self._changed()

    def report(self, session: Session, refusal: Refusal) -> None:
        """Report a refused command or message, or a session that the server ends."""
        self._refusals.report(session, refusal)

    def _keep_refusal(self, refused: RefusalReport) -> None:
        self.history.add_refusal(refused)
        self.observers.notify_of_refusal(refused)

    def deliver(self, session: Session, envelope: Envelope) -> Pending[Outcome]:
        """Accept a message, or hand it to a worker and to the observers; log its outcome."""
        at = time.time()
        delivery = self.delivery
        if delivery is None and not self.observers:
            if self._info:
                self._log.info("email received", **_log_keys(session, envelope))
            self.history.add(session, envelope, at, ACCEPTED)
            if self._subscribers:
                self._changed()
            return _ACCEPTED
        content = envelope.content
        assert isinstance(content, bytes)
        arrival = Arrival.of(session, envelope, self.new_id(), at)
        pending = _ACCEPTED if delivery is None else delivery.deliver(arrival, content)
        if self.observers:
            pending = Running(self._observe(session, arrival, content, pending), self._log, session.uuid)
        pending.then(lambda outcome: self._record(session, envelope, arrival, outcome))
        return pending

    async def _observe(self, session: Session, arrival: Arrival, content: bytes, pending: Pending[Outcome]) -> Outcome:
        """Hand a decided message to the observers. Where no worker decides, each of them must keep it."""
        outcome = await pending.wait()
        said = [f"S: {reply.code} {reply.wire_text}" for reply in outcome.replies]
        transcript = [*session.take_transcript(len(said)), f"C: ({len(content)} bytes of message)", *said]
        mail = ReceivedMail(
            **msgspec.structs.asdict(arrival),
            content=content,
            code=outcome.reply.code,
            reply=outcome.reply.wire_text,
            reason=outcome.reason,
            transcript=transcript,
        )
        kept = await self.observers.notify(mail)
        return outcome if kept or self.delivery is not None else FAILED._replace(reason="it could not be kept")

    def _record(self, session: Session, envelope: Envelope, arrival: Arrival, outcome: Outcome) -> None:
        """Write the outcome of a message into the log and the history."""
        if self._info:
            keys = _log_keys(session, envelope)
            reply = outcome.reply
            if len(outcome.replies) > 1:
                keys["replies"] = [f"{each.code} {each.text}" for each in outcome.replies]
            self._log.info("email received", **keys, id=arrival.id, code=reply.code, reply=reply.text)
        self.history.add(session, envelope, arrival.at, outcome, message_id=arrival.id)
        self._changed()

    def command(self, session: Session, line: str) -> None:
        """Log a command line, whose credentials the dialog has masked, and keep it for the transcript."""
        line = printable(line)
        if session.transcript is not None:
            session.transcript.append(f"C: {line}")
        if self._debug:
            self._log.debug("command", uuid=session.uuid, line=line)
        self._changed()

    def replied(self, session: Session, data: bytes) -> None:
        """Log the replies of the server, and keep them for the transcript."""
        for line in data.decode("ascii", "replace").splitlines():
            if session.lines_taken:  # the reply to the last message is in its transcript
                session.lines_taken -= 1
            elif session.transcript is not None:
                session.transcript.append(f"S: {line}")
            if self._debug:
                self._log.debug("reply", uuid=session.uuid, line=line)

    def connections(self) -> list[ConnectionInfo]:
        """Return the open connections, the oldest first."""
        return [
            ConnectionInfo.of(connection.session, connection.envelope)
            for connection in self._connections.values()
            if not connection.closing
        ]

    def close_connection(self, uuid: str) -> bool:
        """Close a connection at once, with a 421; return whether there was one with this uuid."""
        connection = self._connections.pop(uuid, None)
        if connection is None or connection.closing:
            return False
        connection.kill(replies.CLOSED_BY_ADMIN)
        self._changed()
        return True

    @property
    def traced(self) -> bool:
        """Whether there is a use for the clients' commands."""
        return self.replies_traced or bool(self._subscribers)

    @property
    def replies_traced(self) -> bool:
        """Whether there is a use for the server's replies."""
        return self._debug or bool(self.observers)

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Subscribe to changes of `connections()`; return the function that unsubscribes.

        `callback` is called after a connection has opened or closed, after a message has its outcome, and before each
        command of a client, which may change the list. Calls come in bursts: read the list in a later turn of the event
        loop. `callback` must not raise.
        """
        self._subscribers += (callback,)

        def unsubscribe() -> None:
            self._subscribers = tuple(each for each in self._subscribers if each is not callback)

        return unsubscribe

    def _changed(self) -> None:
        for callback in self._subscribers:
            callback()


def _log_keys(session: Session, envelope: Envelope) -> dict[str, object]:
    """Return the keys of a message's line in the log."""
    return {
        "uuid": session.uuid,
        "remote_addr": session.remote_addr,
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "size": len(envelope.content or b""),
    }
