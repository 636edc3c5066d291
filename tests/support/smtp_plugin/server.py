"""The SMTP server on a real socket, without a host around it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
from support.log import Log
from support.smtp_plugin.client import Client
from support.waiting import until

from rrpy.container.net.listening import BoundSockets, listen_addresses
from rrpy.smtp_plugin.backend import Backend
from rrpy.smtp_plugin.delivery.outcome import Outcome, Pending, Running
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.listener import Listener
from rrpy.smtp_plugin.session import Envelope, Session

MESSAGE = "MAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\nDATA\r\nhello {}\r\n.\r\n"
"""A whole transaction; `format` gives it its text."""


class Storing(Backend):
    """The plugin's backend, which also keeps what it is given; `verdict` may answer in its place."""

    def __init__(self, log: Log, verdict: Callable[[Session, Envelope], Any] | None = None) -> None:
        super().__init__(log)
        self.log = log
        self.messages: list[tuple[str | None, list[str], bytes]] = []
        self.delivered = asyncio.Event()
        self._verdict = verdict

    def deliver(self, session: Session, envelope: Envelope) -> Any:
        assert isinstance(envelope.content, bytes)
        self.messages.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        self.delivered.set()
        accepted = super().deliver(session, envelope)
        return accepted if self._verdict is None else self._outcome(session, self._verdict(session, envelope))

    def _outcome(self, session: Session, verdict: Any) -> Pending[Outcome]:
        """Return a verdict as the server takes it: a reply or a list of replies, now or from a coroutine."""
        if inspect.isawaitable(verdict):
            return Running(self._awaited(verdict), self._log, session.uuid)
        return verdict if isinstance(verdict, Pending) else Pending.settled(as_outcome(verdict))

    async def _awaited(self, verdict: Awaitable[Any]) -> Outcome:
        return as_outcome(await verdict)


def as_outcome(verdict: Any) -> Outcome:
    if isinstance(verdict, Outcome):
        return verdict
    return Outcome(tuple(verdict) if isinstance(verdict, list) else (verdict,))


@dataclass
class Serving:
    """A server that is up."""

    listener: Listener
    backend: Storing
    log: Log
    host: str
    port: int
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        client = Client(reader, writer)
        self.clients.append(client)
        return client

    async def emptied(self) -> None:
        """Wait until no connection is left."""
        await until(lambda: not self.listener.connections)


@asynccontextmanager
async def serving(
    rules: Rules | None = None,
    verdict: Callable[[Session, Envelope], Any] | None = None,
    **options: Any,
) -> AsyncIterator[Serving]:
    """Serve on a free port; everything is closed at the end."""
    log = Log()
    backend = Storing(log, verdict)
    bound = BoundSockets(listen_addresses("127.0.0.1:0", "smtp.addr"))
    listener = Listener(
        rules or Rules(hostname="mx.test"),
        backend,
        log,
        trace=backend.command,
        trace_replies=backend.replied,
        **options,
    )
    await listener.listen(bound)
    server = Serving(listener, backend, log, "127.0.0.1", bound.address.port)  # type: ignore[union-attr]
    try:
        yield server
    finally:
        bound.close()
        with anyio.CancelScope(shield=True):
            await listener.aclose()
            for client in server.clients:
                client.close()
                with suppress(OSError):
                    await client.writer.wait_closed()
