"""HTTPS: what clients get, and what handshakes can hold of a plugin's HTTP server."""

from __future__ import annotations

import contextlib
import socket
import ssl

import anyio
import anyio.lowlevel
import pytest
import trustme
import uvloop
from anyio.abc import ByteReceiveStream
from support.container.http import serving
from support.log import Log

from rrpy.container.net import http, http_connection
from rrpy.container.net.address import TCPAddress
from rrpy.container.net.http import Receive, Scope, Send

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
FAILED = "TLS handshakes failed"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """The loop of a host."""
    return "asyncio", {"loop_factory": uvloop.new_event_loop}


@pytest.fixture
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and a client's that trusts it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def shows_scheme(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


async def ask(address: TCPAddress, client: ssl.SSLContext) -> bytes:
    async with await anyio.connect_tcp(
        address.host, address.port, tls=True, ssl_context=client, tls_standard_compatible=False
    ) as stream:
        await stream.send(GET)
        return b"".join([piece async for piece in stream])


async def is_cut(stream: ByteReceiveStream) -> bool:
    with anyio.fail_after(20):
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return True
    return False


async def test_a_client_is_served_over_tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(shows_scheme, log := Log(), contexts[0]) as address:
        assert (await ask(address, contexts[1])).endswith(b"\r\nhttps\r\n0\r\n\r\n")
    assert log.keys(FAILED) == []


async def test_plain_http_is_closed_and_named_in_the_log(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(shows_scheme, log := Log(), contexts[0]) as address:
        async with await anyio.connect_tcp(address.host, address.port) as plain:
            await plain.send(GET)
            assert await is_cut(plain)
        (keys,) = await log.seen(FAILED)
        assert keys["last"].endswith(": plain HTTP on a port with TLS; use https://")
        assert keys["count"] == 1


async def test_handshakes_count_as_connections(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "MAX_CONNECTIONS", 2)
    async with serving(shows_scheme, log := Log(), contexts[0]) as address, contextlib.AsyncExitStack() as stack:
        silent = [
            await stack.enter_async_context(await anyio.connect_tcp(address.host, address.port)) for _ in range(2)
        ]
        async with await anyio.connect_tcp(address.host, address.port) as turned_away:
            assert await is_cut(turned_away)
        await log.seen("HTTP connections turned away")
        await silent[0].aclose()
        with anyio.fail_after(20):
            while True:
                with contextlib.suppress(ssl.SSLError, OSError, anyio.BrokenResourceError, anyio.EndOfStream):
                    if b" 200 " in await ask(address, contexts[1]):
                        break


async def test_a_handshake_has_a_deadline(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HANDSHAKE_TIMEOUT", 0.05)
    async with serving(shows_scheme, log := Log(), contexts[0]) as address:
        async with await anyio.connect_tcp(address.host, address.port) as silent:
            await silent.send(b"\x16\x03\x01\x02\x00")  # the head of a hello
            assert await is_cut(silent)
        await log.seen(FAILED)


async def test_a_stop_ends_a_handshake_at_once(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(shows_scheme, Log(), contexts[0]) as address:
        await (queued := await anyio.connect_tcp(address.host, address.port)).send(b"\x16\x03")
        silent = socket.create_connection((address.host, address.port))
        await anyio.lowlevel.checkpoint()
    assert await is_cut(queued)
    await queued.aclose()
    with silent:
        silent.settimeout(20)
        with contextlib.suppress(ConnectionError):
            assert silent.recv(1) == b""


async def test_a_client_that_asks_nothing_after_its_handshake_is_cut_as_over_plain_http(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had READ_TIMEOUT: the end of the handshake counted as a response that it reads."""
    monkeypatch.setattr(http_connection, "REQUEST_TIMEOUT", 0.05)
    async with (
        serving(shows_scheme, Log(), contexts[0]) as address,
        await anyio.connect_tcp(
            address.host, address.port, tls=True, ssl_context=contexts[1], tls_standard_compatible=False
        ) as silent,
    ):
        assert await is_cut(silent)
