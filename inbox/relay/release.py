"""The release of a message: whether it may go, the way through the relay, and its result on the message."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import anyio
import anyio.to_thread
import msgspec

from ...container.protocols import Logger
from ..mail_servers import MailServers
from ..mailbox import Mailbox
from ..records import Release, SessionInfo
from ..store.database import StoreError
from .addresses import is_address, is_allowed
from .config import RelayConfig
from .exchange import Outgoing, RelayError
from .outgoing import Sender, has_utf8_header

MAX_RECIPIENTS: Final = 50
"""Addresses of one release."""
MAX_SIZE: Final = 64 * 1024 * 1024
"""Bytes of a message that can be released. Its copies are in memory while it is on its way."""
MAX_AT_ONCE: Final = 4
"""Releases at the same time."""


class Releaser:
    """Releases messages. `config`: of the relay, None where the section is absent."""

    def __init__(self, mailbox: Mailbox, servers: MailServers, config: RelayConfig | None, log: Logger) -> None:
        self._mailbox = mailbox
        self._servers = servers
        self._config = config
        self._log = log
        self._running = 0

    async def release(self, message_id: str, to: Sequence[str]) -> Release | None:
        """Send a message to these addresses, and keep the result on it. None for an unknown id.

        Raises RelayError where it is not sent; the message has that too, once the relay was asked.
        """
        config = self._config
        if config is None:
            raise RelayError(403, "releases are off: the configuration has no section inbox.relay")
        from .client import send  # here, because few hosts release mail

        addresses = list(dict.fromkeys(to))
        _check(addresses, config)
        with self._place():
            mail = await self._mail(message_id, addresses, config)
            if mail is None:
                return None
            summary_id, outgoing = mail
            try:
                with self._mailbox.until_stop() as scope:
                    reply = await send(config, outgoing)
                if scope.cancelled_caught:
                    raise RelayError(503, f"the host stops; the relay {config.address} may have the message")
            except RelayError as error:
                await self._keep(summary_id, outgoing, config, error.code, error.reply, str(error))
                raise
            return await self._keep(summary_id, outgoing, config, reply.code, reply.text)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._running >= MAX_AT_ONCE:
            raise RelayError(503, f"{MAX_AT_ONCE} messages are on their way to the relay; release this one later")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    async def _mail(self, message_id: str, to: Sequence[str], config: RelayConfig) -> tuple[str, Outgoing] | None:
        """Return the id and the bytes of a message that may go. Raises RelayError."""
        stored = await self._mailbox.read(message_id)
        if stored is None:
            return None
        if len(stored.content) > MAX_SIZE:
            raise RelayError(413, f"the message has {len(stored.content)} bytes; a release takes {MAX_SIZE}")
        summary = stored.listed()
        sender = config.from_ or summary.sender
        if sender and not is_address(sender):
            raise RelayError(400, f"the sender {sender} cannot go out; inbox.relay.from names another one")
        us = Sender(socket.gethostname(), self._servers.smtp_address)
        if us.has_sent(stored.content):
            raise RelayError(409, "this inbox has released the message before, and it came back; it goes out once")
        at = datetime.now(UTC)
        try:
            whole = await anyio.to_thread.run_sync(us.outgoing, stored.content, summary.id, at)
        except ValueError as error:
            raise RelayError(413, str(error)) from None
        session = msgspec.json.decode(stored.session, type=SessionInfo)
        asked = "SMTPUTF8" in session.parameters and has_utf8_header(whole)
        utf8 = asked or not all(each.isascii() for each in (sender, *to))
        return summary.id, Outgoing(sender, to, whole, utf8)

    async def _keep(
        self, message_id: str, mail: Outgoing, config: RelayConfig, code: int, reply: str, reason: str = ""
    ) -> Release:
        """Write the result into the log, and on the message, which may be deleted meanwhile.

        The result counts also where the message cannot keep it: the relay has answered.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        release = Release(at, mail.sender, mail.to, config.address, not reason, code, reply, reason)
        keys = {"id": message_id, "to": list(mail.to), "relay": config.address, "code": code, "reply": reply}
        if reason:
            self._log.warning("message not released", **keys, reason=reason)
        else:
            self._log.info("message released", **keys)
        try:
            await self._mailbox.add_release(message_id, release)
        except StoreError as error:
            self._log.error("the message does not keep the result of its release", id=message_id, error=str(error))
        return release


def _check(to: Sequence[str], config: RelayConfig) -> None:
    """Raise RelayError for addresses that a message may not go to."""
    if not to:
        raise RelayError(400, "to is empty; name an address")
    if len(to) > MAX_RECIPIENTS:
        raise RelayError(400, f"to: at most {MAX_RECIPIENTS} addresses")
    for address in to:
        if not is_address(address):
            raise RelayError(400, f"{address!r} is not one plain address, such as ann@example.com")
        if not is_allowed(address, config.allow):
            allowed = ", ".join(config.allow) or "no address"
            raise RelayError(403, f"{address} is not allowed; inbox.relay.allow has {allowed}")
