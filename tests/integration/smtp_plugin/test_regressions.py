"""Defects that our own server once had, and the rules of docs/reference/smtp.md, that need a socket."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest
from support.smtp_plugin.dialog import BEGIN, HOST
from support.smtp_plugin.server import serving
from support.waiting import until

from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.admission import MAX_LEAVING

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("offset", range(6))
async def test_the_end_of_data_may_straddle_a_segment_of_64_kib(offset: int) -> None:
    body = b"a" * (65536 - offset)
    async with serving() as server:
        client = await server.connect()
        client.send(BEGIN + body + b"\r\n.\r\nNOOP\r\nQUIT\r\n")
        assert (await client.rest()).endswith("250 OK: message accepted\r\n250 OK\r\n221 Bye\r\n")
        assert [content for *_, content in server.backend.messages] == [body + b"\r\n"]


async def test_a_connection_can_be_killed_in_a_tls_handshake_and_twice(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with serving(Rules(hostname=HOST, tls_available=True), tls_context=tls[0]) as server:
        client = await server.connect()
        await client.hello()
        assert await client.say("STARTTLS") == "220 Ready to start TLS\r\n"
        (info,) = server.backend.connections()
        assert server.backend.close_connection(info.uuid) is True
        assert server.backend.close_connection(info.uuid) is False
        await client.rest()
        client.close()
        await server.emptied()
        assert server.backend.connections() == []


async def test_lmtp_gives_each_recipient_a_reply() -> None:
    """RFC 2033 section 4.2."""
    async with serving(Rules(hostname=HOST, lmtp=True)) as server:
        client = await server.connect()
        client.send(b"LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@d>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n")
        said = await client.rest()
        assert said.count("250 OK: message accepted\r\n") == 2


async def test_connections_that_are_turned_away_take_no_place() -> None:
    """A connection that lingers after its 421 does not count for max_connections."""
    async with serving(max_connections=1) as server:
        first, turned_away = await server.connect(), await server.connect()
        await first.hello()
        assert (await turned_away.reply()).startswith("421 ")
        await first.say("QUIT")
        await first.rest()
        first.close()
        third = await server.connect()
        assert (await third.reply()).startswith("220 ")


@pytest.mark.parametrize("limit", ["max_connections", "max_per_ip"])
async def test_connections_that_are_turned_away_have_a_bound(limit: str) -> None:
    """Thousands of them took all descriptors, because none of them counted."""
    bound = MAX_LEAVING if limit == "max_connections" else 1
    async with serving(**{limit: 1}) as server:
        first = await server.connect()
        await first.hello()
        turned_away = [await server.connect() for _ in range(bound)]
        for client in turned_away:
            assert (await client.reply()).startswith("421 ")
        for _ in range(20):
            client = await server.connect()
            with suppress(ConnectionError):
                assert await client.rest() == ""
        await until(lambda: len(server.listener.connections) == 1 + bound)
        turned_away[0].close()
        await until(lambda: len(server.listener.connections) == bound)
        assert (await (await server.connect()).reply()).startswith("421 ")
