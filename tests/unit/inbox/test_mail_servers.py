"""The mail servers of a host as one, and the events of their connections."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

import anyio
import msgspec
import pytest

from rrpy.inbox import mail_servers
from rrpy.inbox.feed import Feed
from rrpy.inbox.mail_servers import MailServers, publish_changes


class Open(msgspec.Struct, frozen=True):
    """An open connection."""

    uuid: str


class Server:
    """A mail server, with connections that a test opens and closes. `watching`: the subscribed functions."""

    def __init__(self, *uuids: str, address: str = "") -> None:
        self.smtp_address = address
        self.uuids = list(uuids)
        self.watching: list[Callable[[], None]] = []

    def connections(self) -> Sequence[Open]:
        return [Open(uuid) for uuid in self.uuids]

    def close_connection(self, uuid: str) -> bool:
        if uuid not in self.uuids:
            return False
        self.uuids.remove(uuid)
        return True

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.watching.append(callback)
        return lambda: self.watching.remove(callback)

    def change(self, *uuids: str) -> None:
        for callback in self.watching:
            callback()  # before the change, as a server may do it
        self.uuids = list(uuids)


def test_the_connections_of_every_server_are_listed_and_closed() -> None:
    servers = MailServers()
    assert not servers
    assert servers.smtp_address == ""
    for server in (Server("1"), Server("2", "3", address="tcp://127.0.0.1:25")):
        servers.add(server)
    assert servers
    assert servers.smtp_address == "tcp://127.0.0.1:25"
    assert servers.connections() == [Open("1"), Open("2"), Open("3")]
    assert servers.close_connection("3")
    assert not servers.close_connection("3")
    assert servers.connections() == [Open("1"), Open("2")]


@asynccontextmanager
async def publishing(server: Server, feed: Feed) -> AsyncGenerator[None, None]:
    """Publish the changes of a server."""
    async with anyio.create_task_group() as group:
        group.start_soon(publish_changes, server, feed)
        await anyio.wait_all_tasks_blocked()
        yield
        group.cancel_scope.cancel()
    assert server.watching == []


@pytest.mark.anyio
async def test_changes_are_told_at_once_and_many_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_servers, "INTERVAL", 0.05)
    feed, server = Feed(), Server()
    with anyio.fail_after(10):
        async with publishing(server, feed), aclosing(feed.follow()) as events:
            for _ in range(2):
                await anext(events)  # retry, reset
            server.change("0")
            assert b'{"open": 1}' in await anext(events)
            for number in range(1000):
                server.change(*map(str, range(number % 7 + 1)))
            assert b'{"open": 6}' in await anext(events)
            server.change(*"abcdef")
            assert b'{"open": 6}' in await anext(events), "others, though as many"
    assert feed.open == 6


@pytest.mark.anyio
async def test_a_thousand_changes_of_one_moment_are_one_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_servers, "INTERVAL", 3600)
    feed, server = Feed(), Server()
    async with publishing(server, feed), aclosing(feed.follow()) as events:
        for _ in range(2):
            await anext(events)
        for number in range(1000):
            server.change(str(number))
        assert b'{"open": 1}' in await anext(events)
        for number in range(1000):
            server.change(str(number), "more")
            await anyio.lowlevel.checkpoint()
        feed.publish("cleared")
        assert b"event: cleared" in await anext(events), "the changes wait for the end of the interval"


@pytest.mark.anyio
async def test_a_change_without_a_reader_waits_for_one_and_a_change_that_shows_nothing_is_not_sent() -> None:
    feed, server = Feed(), Server()
    with anyio.fail_after(10):
        async with publishing(server, feed):
            server.change("1", "2")
            await anyio.wait_all_tasks_blocked()
            assert feed.open == 0
            async with aclosing(feed.follow()) as events:
                await anext(events)
                assert b'{"open": 0}' in await anext(events)
                assert b'{"open": 2}' in await anext(events)
                server.change("1", "2")
                server.change("1")
                assert b'{"open": 1}' in await anext(events)
