"""The mail servers of the host: all of them as one, and their changes for the feed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import anyio
import msgspec

from ..container.net.listening import Addresses, Listening
from .feed import Feed
from .protocols import FailsByRule, MailServer, RuleTable

INTERVAL: Final = 0.25
"""Seconds between two events about connections: a thousand connections a second are four events."""


class MailServers:
    """Every mail server of the host, as one MailServer. False where the host has none."""

    def __init__(self) -> None:
        self._servers: list[MailServer] = []

    def add(self, server: MailServer) -> None:
        """Take one more server."""
        self._servers.append(server)

    def __bool__(self) -> bool:
        return bool(self._servers)

    @property
    def smtp_address(self) -> str:
        """The address of the first server that listens, as a URL; empty while none does."""
        return next((server.smtp_address for server in self._servers if server.smtp_address), "")

    def addresses(self) -> Sequence[Addresses]:
        """Return where the servers listen, of those that say so."""
        return [each for server in self._servers if isinstance(server, Listening) for each in server.listens()]

    @property
    def rules(self) -> RuleTable | None:
        """The rules of the first server that can fail by rule, None without one."""
        return next((server.rules for server in self._servers if isinstance(server, FailsByRule)), None)

    def connections(self) -> Sequence[msgspec.Struct]:
        """Return the open connections; of each server the oldest first."""
        return [each for server in self._servers for each in server.connections()]

    def close_connection(self, uuid: str) -> bool:
        """Close a connection at once. Return False for an unknown uuid."""
        return any(server.close_connection(uuid) for server in self._servers)

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` where the connections may have changed. Return the function that ends this."""
        unsubscribe = [server.on_change(callback) for server in self._servers]

        def end() -> None:
            for each in unsubscribe:
                each()

        return end


async def publish_changes(servers: MailServer, feed: Feed) -> None:
    """Publish changes of the connections, at most every INTERVAL seconds. Runs until it is cancelled.

    Without a change or without a reader it waits for an event: no timer runs.
    """
    changed = anyio.Event()
    published: Sequence[msgspec.Struct] = []

    def note() -> None:
        changed.set()

    unsubscribe = servers.on_change(note)
    try:
        while True:
            await changed.wait()
            await feed.wait_for_readers()
            changed = anyio.Event()
            connections = servers.connections()
            if connections != published:
                published = connections
                feed.connections(len(connections))
            await anyio.sleep(INTERVAL)
    finally:
        unsubscribe()
