"""Deadlines on real sockets: a client that is silent, slow, or does not read its replies."""

from __future__ import annotations

import asyncio
import socket
import ssl

import anyio
import pytest
from support.smtp_plugin.client import Client
from support.smtp_plugin.server import serving

from rrpy.smtp_plugin.protocol.rules import Rules

pytestmark = pytest.mark.anyio


async def test_a_command_must_be_complete_a_read_timeout_after_the_last_reply() -> None:
    async with serving(read_timeout=0.8) as server:
        client = await server.connect()
        await client.hello()
        dribble = asyncio.create_task(_dribble(client, b"NOOP" * 1000, 0.05))
        assert await client.rest() == "421 4.4.2 Timeout, closing connection\r\n"
        dribble.cancel()
        await asyncio.wait([dribble])


async def _dribble(client: Client, data: bytes, pause: float) -> None:
    for byte in data:
        client.send(bytes([byte]))
        await asyncio.sleep(pause)


async def test_a_stalled_message_is_cut() -> None:
    async with serving(read_timeout=0.8) as server:
        client = await server.connect()
        await client.begin()
        client.send(b"x" * 100_000)
        assert await client.rest() == "421 4.4.2 Timeout, closing connection\r\n"
        assert server.backend.messages == []


async def test_a_message_slower_than_the_least_rate_is_cut() -> None:
    async with serving(read_timeout=0.8) as server:
        client = await server.connect()
        await client.begin()
        dribble = asyncio.create_task(_dribble(client, b"x" * 1000, 0.05))
        assert await client.rest() == "421 4.4.2 Message too slow, closing connection\r\n"
        dribble.cancel()
        await asyncio.wait([dribble])


async def test_a_message_that_is_fast_enough_outlives_many_read_timeouts() -> None:
    async with serving(read_timeout=1) as server:
        client = await server.connect()
        await client.begin()
        for _ in range(25):
            client.send(b"x" * 998 + b"\r\n")
            await asyncio.sleep(0.1)
        assert await client.say(b".\r\n") == "250 OK: message accepted\r\n"


@pytest.mark.parametrize("where", ["greeting", "command", "auth", "chunk", "handshake"])
async def test_a_silent_client_is_cut_in_every_state(where: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(Rules(tls_available=True), tls_context=tls[0], read_timeout=0.8) as server:
        client = await server.connect()
        if where == "greeting":
            await client.reply()
        else:
            await client.hello()
        if where == "auth":
            assert await client.say("AUTH LOGIN") == "334 VXNlcm5hbWU6\r\n"
        elif where == "chunk":
            await client.say("MAIL FROM:<a@b>")
            await client.say("RCPT TO:<c@d>")
            client.send(b"BDAT 10\r\nhalf")
        elif where == "handshake":
            assert await client.say("STARTTLS") == "220 Ready to start TLS\r\n"
        said = await client.rest()
        assert said == ("" if where == "handshake" else "421 4.4.2 Timeout, closing connection\r\n")
        client.close()
        await server.emptied()
        assert server.backend.connections() == []


async def test_a_refused_chunk_is_read_for_as_long_as_it_comes() -> None:
    async with serving(Rules(max_message_size=50_000), read_timeout=1) as server:
        client = await server.connect()
        await client.hello()
        client.send(b"BDAT 100000\r\n")
        for _ in range(20):
            client.send(b"x" * 5000)
            await asyncio.sleep(0.1)
        assert (await client.reply()).startswith("503 ")
        assert await client.say("NOOP") == "250 OK\r\n"


async def test_a_client_that_does_not_read_its_replies_is_cut() -> None:
    async with serving(Rules(max_errors=0), write_timeout=0.3, read_timeout=30) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((server.host, server.port))
            client.setblocking(False)
            with anyio.fail_after(20):
                try:
                    while True:
                        await asyncio.get_running_loop().sock_sendall(client, b"HELP\r\n" * 1000)
                except ConnectionError:
                    pass
        await server.emptied()
        assert server.log.keys("client does not read its replies")


async def test_a_client_that_reads_its_replies_slowly_is_not_cut() -> None:
    async with serving(Rules(max_errors=0), write_timeout=1) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((server.host, server.port))
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            sending = asyncio.create_task(loop.sock_sendall(client, b"HELP\r\n" * 30_000))
            until = loop.time() + 2.5
            while loop.time() < until:
                assert await loop.sock_recv(client, 8192)
                await asyncio.sleep(0.01)
            assert not server.log.keys("client does not read its replies")
            sending.cancel()
            await asyncio.wait([sending])
