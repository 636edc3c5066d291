"""The PROXY protocol's header names the client."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from support.smtp_plugin.server import serving

from rrpy.smtp_plugin.server.deadlines import Timeouts

pytestmark = pytest.mark.anyio

V1 = b"PROXY TCP4 192.0.2.7 192.0.2.8 40001 25\r\n"


V2 = bytes.fromhex("0d0a0d0a000d0a515549540a2111000cc0000207c00002089c410019")


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
async def test_the_proxy_header_names_the_client(header: bytes) -> None:
    async with serving(proxy_protocol=True) as server:
        for cuts in ([header], [header[:3], header[3:]], [header + b"NOOP\r\n"]):
            client = await server.connect()
            for piece in cuts:
                client.send(piece)
                await asyncio.sleep(0.01)
            assert (await client.reply()).startswith("220 ")
            assert server.backend.connections()[-1].remote_addr == "192.0.2.7:40001"
            if len(cuts[0]) > len(header):
                assert await client.reply() == "250 OK\r\n"


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"EHLO x\r\n", "no valid PROXY header: the connection begins with other bytes"),
        (b"PROXY nonsense\r\n", "no valid PROXY header: its line is malformed"),
        (b"PROXY UNKNOWN" + b" x" * 60, "no valid PROXY header: its line has more than 107 bytes"),
        (b"PROXY TCP4 ", "no PROXY header in time"),
        (b"", "no PROXY header in time"),
    ],
)
async def test_a_connection_without_a_proxy_header_is_closed_without_a_word(
    sent: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason was a line of `mail.debug`, and a long line was waited for."""
    opening = 0.3 if reason.endswith("in time") else 60
    async with serving(proxy_protocol=True, timeouts=Timeouts(opening=opening)) as server:
        client = await server.connect()
        client.send(sent)
        assert await client.rest() == ""
        client.close()
        await server.emptied()
        assert [keys["reason"] for keys in server.log.keys("session ended")] == [reason]
    assert not [record for record in caplog.records if record.name == "mail.debug"]


async def test_a_client_behind_a_proxy_has_its_own_limit() -> None:
    async with serving(proxy_protocol=True, max_per_ip=1) as server:
        first = await server.connect()
        first.send(V1)
        assert (await first.reply()).startswith("220 ")
        second = await server.connect()
        second.send(V1)
        assert (
            await second.rest() == "421 4.3.2 Too many connections, try again later: the limit of one client is 1\r\n"
        )
        third = await server.connect()
        third.send(V1.replace(b"192.0.2.7", b"192.0.2.9"))
        assert (await third.reply()).startswith("220 ")


MAPPED = {
    "v1": b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.8 40002 25\r\n",
    "v2": bytes.fromhex("0d0a0d0a000d0a515549540a21210024" + ("0" * 20 + "ffffc0000207") * 2 + "9c420019"),
}


@pytest.mark.parametrize("version", MAPPED)
async def test_an_ipv4_client_of_an_ipv6_socket_is_the_same_client(version: str) -> None:
    """`::ffff:192.0.2.7` had a limit of its own beside that of 192.0.2.7."""
    async with serving(proxy_protocol=True, max_per_ip=1) as server:
        first = await server.connect()
        first.send(MAPPED[version])
        assert (await first.reply()).startswith("220 ")
        assert server.backend.connections()[-1].remote_addr == "192.0.2.7:40002"
        second = await server.connect()
        second.send(V1)
        assert (await second.rest()).startswith("421 ")


NAMELESS = {
    "v1 UNKNOWN": b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
    "v2 LOCAL": b"".join((V2[:12], b"\x20", V2[13:])),
    "v2 LOCAL, no address": bytes.fromhex("0d0a0d0a000d0a515549540a20000000"),
    "v2 UNSPEC": bytes.fromhex("0d0a0d0a000d0a515549540a21000000"),
    "v2 unix": bytes.fromhex("0d0a0d0a000d0a515549540a213100d8") + b"/a".ljust(108, b"\0") * 2,
}


@pytest.mark.parametrize("header", NAMELESS.values(), ids=NAMELESS)
async def test_a_header_that_names_no_client_leaves_the_sockets_own_peer(header: bytes) -> None:
    """The address in a LOCAL header was the client's: a proxy's health check could use up a client's limit."""
    async with serving(proxy_protocol=True, max_per_ip=1) as server:
        first = await server.connect()
        first.send(header)
        assert (await first.reply()).startswith("220 ")
        host, port = first.writer.get_extra_info("sockname")
        assert server.backend.connections()[-1].remote_addr == f"{host}:{port}"
        named, another = await server.connect(), await server.connect()
        named.send(V1)
        assert (await named.reply()).startswith("220 ")
        another.send(V1.replace(b"192.0.2.7", b"127.0.0.1"))
        assert (await another.rest()).startswith("421 "), "the socket's peer counts"


async def test_draining_ends_a_connection_that_waits_for_its_proxy_header() -> None:
    async with serving(proxy_protocol=True) as server:
        client = await server.connect()
        while not server.listener.connections:  # noqa: ASYNC110 - it is the kernel that tells
            await asyncio.sleep(0)
        drained = asyncio.create_task(server.listener.drain())
        assert (await client.rest()).startswith("421 ")
        client.close()
        with anyio.fail_after(5):
            await drained
