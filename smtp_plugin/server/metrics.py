"""The SMTP server's numbers, for the `metrics` plugin. A host without that plugin does not import this module.

`Statistics` is a backend around the backend, so that it sees every connection, and listens to every outcome. The
dialog reports its own numbers through `rules.Tally`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from ..delivery.outcome import FAILED, Outcome, Pending
from ..protocol.refusal import Refusal
from ..protocol.replies import Reply
from ..session import Envelope, Session
from .protocols import ServedConnection, ServerBackend

_RESULTS: Final = {2: "accepted", 4: "deferred", 5: "rejected"}
"""The result of a message, by the first digit of its reply's code."""
_SESSION: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
_DELIVERY: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histograms' buckets, in seconds."""


class Statistics:
    """Counts connections and messages. It is a `ServerBackend` for the listener, and a `Tally` for the dialogs."""

    def __init__(self, backend: ServerBackend) -> None:
        self._backend = backend
        self._began: dict[str, float] = {}
        self._open = Gauge("rr_smtp_connections_open", "Connections that are open now.", registry=None)
        self._open.set_function(lambda: len(self._began))
        self._connections = Counter("rr_smtp_connections_total", "Connections that were accepted.", registry=None)
        self._messages = Counter(
            "rr_smtp_messages_total",
            "Messages that arrived whole, by the result for their client.",
            ["result"],
            registry=None,
        )
        self._by_class = {digit: self._messages.labels(result) for digit, result in _RESULTS.items()}
        self._bytes = Counter("rr_smtp_message_bytes_total", "Bytes of the messages handed on.", registry=None)
        self._refusals = Counter("rr_smtp_refusals_total", "Replies of 4xx and 5xx, by code.", ["code"], registry=None)
        self._captures = Counter(
            "rr_smtp_auth_captures_total", "Credentials that AUTH captured, by mechanism.", ["mechanism"], registry=None
        )
        self._sessions = Histogram(
            "rr_smtp_session_duration_seconds", "From a connection's begin to its end.", buckets=_SESSION, registry=None
        )
        self._deliveries = Histogram(
            "rr_smtp_delivery_duration_seconds", "From a message's end to its reply.", buckets=_DELIVERY, registry=None
        )

    def collectors(self) -> Sequence[MetricWrapperBase]:
        """Return the collectors, for a registry of prometheus_client."""
        return (
            self._open,
            self._connections,
            self._messages,
            self._bytes,
            self._refusals,
            self._captures,
            self._sessions,
            self._deliveries,
        )

    # Called by the listener.

    def connected(self, connection: ServedConnection) -> None:
        """Count a new connection."""
        self._connections.inc()
        self._began[connection.session.uuid] = time.perf_counter()
        self._backend.connected(connection)

    def disconnected(self, connection: ServedConnection) -> None:
        """Take the time of a connection that has ended, unless it was turned away and so had not begun."""
        began = self._began.pop(connection.session.uuid, None)
        if began is not None:
            self._sessions.observe(time.perf_counter() - began)
        self._backend.disconnected(connection)

    def deliver(self, session: Session, envelope: Envelope) -> Pending[Outcome]:
        """Count a message, and take the time until its outcome."""
        began = time.perf_counter()
        self._bytes.inc(len(envelope.content or b""))
        try:
            pending = self._backend.deliver(session, envelope)
        except Exception:
            self._delivered(FAILED, began)  # which is the server's answer to it
            raise
        pending.then(lambda outcome: self._delivered(outcome, began))
        return pending

    def report(self, session: Session, refusal: Refusal) -> None:
        """Hand a refusal on. Its reply is counted already."""
        self._backend.report(session, refusal)

    def _delivered(self, outcome: Outcome, began: float) -> None:
        self.ended(outcome.reply)
        self._deliveries.observe(time.perf_counter() - began)

    # Called by the dialog.

    def refused(self, reply: Reply) -> None:
        """Count a reply of 4xx or 5xx."""
        self._refusals.labels(reply.code).inc()

    def ended(self, reply: Reply) -> None:
        """Count a message that arrived whole, by its reply."""
        self._by_class[reply.code // 100].inc()

    def captured(self, mechanism: str) -> None:
        """Count credentials that AUTH captured."""
        self._captures.labels(mechanism).inc()
