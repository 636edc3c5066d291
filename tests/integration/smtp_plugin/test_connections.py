"""The list of open connections, and the door by which another plugin follows it."""

from __future__ import annotations

import anyio
import pytest
from support.smtp_plugin.server import serving

pytestmark = pytest.mark.anyio


async def test_a_subscriber_can_follow_the_list_of_connections() -> None:
    seen: list[list[tuple[str, list[str]]]] = []
    changed = anyio.Event()

    async with serving() as server:

        def note() -> None:
            nonlocal changed
            changed.set()
            changed = anyio.Event()

        async def read_until(expected: list[tuple[str, list[str]]]) -> None:
            with anyio.fail_after(10):
                while True:
                    news = changed
                    seen.append([(info.sender, info.to) for info in server.backend.connections()])
                    if seen[-1] == expected:
                        return
                    await news.wait()

        unsubscribe = server.backend.on_change(note)
        client = await server.connect()
        await read_until([("", [])])
        await client.begin()
        await read_until([("a@b.c", ["x@y.z"])])
        client.send(b"hello\r\n.\r\n")
        await read_until([("", [])])
        client.send(b"QUIT\r\n")
        await client.rest()
        await read_until([])
        unsubscribe()
        unsubscribe()
        last = changed
        other = await server.connect()
        await other.hello()
        assert not last.is_set()


async def test_closing_a_connection_is_a_change() -> None:
    async with serving() as server:
        client = await server.connect()
        await client.hello()
        (info,) = server.backend.connections()
        changes: list[int] = []
        server.backend.on_change(lambda: changes.append(len(server.backend.connections())))
        assert server.backend.close_connection(info.uuid) is True
        assert changes[-1] == 0
        assert server.backend.close_connection("none") is False
