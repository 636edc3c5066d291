"""Deadlines on real sockets: the sweep checks them. tests/unit/smtp_plugin/test_deadlines.py checks their values."""

from __future__ import annotations

import asyncio
import socket
import ssl

import anyio
import pytest
from support.smtp_plugin.server import MESSAGE, serving

from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.deadlines import Timeouts

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("where", ["command", "handshake"])
async def test_a_silent_client_is_cut(where: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(
        Rules(tls_available=True), tls_context=tls[0], timeouts=Timeouts(read=0.8, opening=0.8)
    ) as server:
        client = await server.connect()
        await client.hello()
        if where == "handshake":
            assert await client.say("STARTTLS") == "220 Ready to start TLS\r\n"
        said = await client.rest()
        assert said == ("" if where == "handshake" else "421 4.4.2 Timeout, closing connection: the limit is 0.8 s\r\n")
        client.close()
        await server.emptied()
        assert server.backend.connections() == []


async def test_a_client_that_does_not_read_its_replies_is_cut() -> None:
    async with serving(Rules(max_errors=0), timeouts=Timeouts(read=30, write=0.3)) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((server.host, server.port))
            client.setblocking(False)
            batch = b"HELO x\r\n" + b"HELP\r\n" * 4000 + MESSAGE.format("x").encode()
            with anyio.fail_after(20):
                try:
                    while True:
                        await asyncio.get_running_loop().sock_sendall(client, batch)
                except ConnectionError:
                    pass
        await server.emptied()
        assert server.log.keys("session ended")[-1]["reason"] == "the client reads no reply"
