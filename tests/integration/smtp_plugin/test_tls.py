"""STARTTLS and implicit TLS on real sockets, and connections that end inside a handshake."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import threading
from pathlib import Path

import anyio
import pytest
import trustme
from support.smtp_plugin.client import Client
from support.smtp_plugin.server import Serving, serving
from support.waiting import until

from rrpy.smtp_plugin.config import TLSConfig
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.deadlines import Timeouts
from rrpy.smtp_plugin.server.tls import server_context

pytestmark = pytest.mark.anyio


async def test_starttls_forgets_what_was_said_in_clear(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server_side, client_side = tls
    async with serving(Rules(tls_available=True), tls_context=server_side) as server:
        client = await server.connect()
        await client.hello()
        assert await client.say("STARTTLS now") == "501 5.5.4 No parameters allowed\r\n"
        assert (await client.say("AUTH PLAIN AHUAcA==")).startswith("235 ")
        client.send(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@x>\r\n")
        assert await client.reply() == "220 Ready to start TLS\r\n"
        await client.writer.start_tls(client_side, server_hostname="127.0.0.1")
        assert (await client.say("MAIL FROM:<a@b>")).startswith("503 ")
        said = await client.say("EHLO again")
        assert "STARTTLS" not in said
        assert (await client.say("STARTTLS")).startswith("503 ")
        assert (await client.say("AUTH PLAIN AHUAcA==")).startswith("235 ")
        assert len(server.backend.connections()) == 1
        assert await client.say("MAIL FROM:<a@b>") == "250 OK\r\n"


async def test_required_tls_refuses_mail_and_auth_before_it(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    rules = Rules(tls_available=True, tls_required=True)
    async with serving(rules, tls_context=tls[0]) as server:
        client = await server.connect()
        await client.hello()
        assert (await client.say("MAIL FROM:<a@b>")).startswith("530 5.7.0 ")
        assert (await client.say("AUTH PLAIN AHUAcA==")).startswith("538 5.7.11 ")
        assert await client.say("STARTTLS") == "220 Ready to start TLS\r\n"
        await client.writer.start_tls(tls[1], server_hostname="127.0.0.1")
        await client.say("EHLO x")
        assert await client.say("MAIL FROM:<a@b>") == "250 OK\r\n"


async def test_implicit_tls_offers_auth_and_no_starttls(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    def send(port: int) -> int:
        with smtplib.SMTP_SSL("127.0.0.1", port, context=tls[1], timeout=10) as client:
            client.ehlo()
            assert not client.has_extn("starttls")
            client.login("user", "password")
            client.sendmail("a@b.c", ["x@y.z"], "Subject: hi\r\n\r\nhello\r\n")
            return client.noop()[0]

    async with serving(implicit_tls=tls[0]) as server:
        assert await anyio.to_thread.run_sync(send, server.port) == 250
        await server.emptied()
        assert len(server.backend.messages) == 1


async def test_a_failed_handshake_ends_the_connection(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(Rules(tls_available=True), tls_context=tls[0]) as server:
        client = await server.connect()
        await client.hello()
        assert await client.say("STARTTLS") == "220 Ready to start TLS\r\n"
        client.send(b"EHLO in clear\r\n")
        await client.rest()
        await server.emptied()


async def _handshaking(server: Serving) -> Client:
    client = await server.connect()
    await client.hello()
    assert await client.say("STARTTLS") == "220 Ready to start TLS\r\n"
    return client


@pytest.mark.parametrize("end", ["reset", "close", "kill", "drain"])
async def test_a_connection_that_ends_inside_a_handshake_leaves_nothing_behind(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], end: str
) -> None:
    async with serving(Rules(tls_available=True), tls_context=tls[0]) as server:
        client = await _handshaking(server)
        if end == "reset":
            client.vanish()
        elif end == "close":
            client.close()
        elif end == "kill":
            (info,) = server.backend.connections()
            assert server.backend.close_connection(info.uuid)
            assert await client.rest() == ""
        else:
            with anyio.fail_after(5):
                await server.listener.drain()
        await server.emptied()
        assert server.backend.connections() == []
        with anyio.fail_after(5):
            await server.listener.drain()


async def test_a_tls_client_that_never_says_goodbye_is_closed_all_the_same(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    def silent(port: int, hold: threading.Event) -> None:
        with socket.create_connection(("127.0.0.1", port)) as plain:
            inside = tls[1].wrap_socket(plain, server_hostname="127.0.0.1")
            inside.recv(100)
            hold.wait(20)
            inside.close()

    hold = threading.Event()
    async with serving(implicit_tls=tls[0]) as server, anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, silent, server.port, hold)
        with anyio.fail_after(10):
            await server.log.seen("connection opened")
            await server.listener.drain()
        hold.set()


@pytest.mark.parametrize("limit", ["max_connections", "max_per_ip"])
async def test_handshakes_count_as_connections(limit: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(implicit_tls=tls[0], **{limit: 2}) as server:
        clients = [await server.connect() for _ in range(3)]
        assert await clients[2].rest() == ""
        assert not clients[0].reader.at_eof()
        assert not clients[1].reader.at_eof()
        clients[0].send(b"EHLO not a handshake\r\n")  # after its failure there is room for another
        await clients[0].rest()
        inside = await server.connect()
        await inside.writer.start_tls(tls[1], server_hostname="127.0.0.1")
        assert (await inside.reply()).startswith("220 ")


async def test_a_hello_that_comes_at_once_is_the_handshakes(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    hello = ssl.MemoryBIO()
    client = tls[1].wrap_bio(ssl.MemoryBIO(), hello, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    first = hello.read()
    async with serving(implicit_tls=tls[0]) as server:
        for _ in range(50):
            raw = socket.create_connection((server.host, server.port))
            raw.sendall(first)
            reader, writer = await asyncio.open_connection(sock=raw)
            with anyio.fail_after(10):
                assert (await reader.readexactly(1)) == b"\x16"
            writer.close()
            await writer.wait_closed()


async def test_a_stop_closes_the_socket_at_once_and_cuts_a_client_that_does_not_close(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """The socket stayed open until the last client had gone."""
    async with serving(implicit_tls=tls[0]) as server:
        idle = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", server.port))
        with idle, tls[1].wrap_socket(idle, server_hostname="127.0.0.1", do_handshake_on_connect=False) as client:
            await asyncio.to_thread(client.do_handshake)
            await asyncio.to_thread(client.recv, 100)
            drained = asyncio.create_task(server.listener.drain())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert server.listener.connections
            with pytest.raises(OSError):
                await asyncio.to_thread(socket.create_connection, ("127.0.0.1", server.port))
            await drained
            assert not server.listener.connections


async def test_a_plain_client_on_a_tls_port_is_named_in_the_log(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(implicit_tls=tls[0]) as server:
        client = await server.connect()
        client.send(b"EHLO x\r\n")
        (line,) = await server.log.seen("session ended")
        assert line["reason"] == (
            "plain bytes on a port that speaks TLS from the first byte; use TLS, or tls.mode: starttls"
        )
    async with serving(implicit_tls=tls[0], timeouts=Timeouts(opening=0.05)) as server:
        await server.connect()
        (line,) = await server.log.seen("session ended")
        assert line["reason"] == "no TLS handshake in time; a client of plain SMTP needs tls.mode: starttls"


async def test_a_tls_client_on_a_plain_port_is_named_in_the_log(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving() as server:
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(server.host, server.port, ssl=tls[1])
        (line,) = await server.log.seen("session ended")
        assert line["reply"] == "5.7.0 TLS on a port that speaks plain SMTP; use STARTTLS or tls.mode: implicit"


async def test_replies_are_logged_as_commands_are() -> None:
    async with serving() as server:
        client = await server.connect()
        await client.hello()
        assert await client.say("MAIL FROM:<>") == "250 OK\r\n"
        assert server.log.keys("command")[-1]["line"] == "MAIL FROM:<>"
        assert server.log.keys("reply")[-1]["line"] == "250 OK"


async def test_a_session_has_the_tls_of_its_handshake_and_the_client_s_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    own = authority.issue_cert("127.0.0.1")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    files = [str(tmp_path / name) for name in ("cert.pem", "key.pem")]
    server_side = server_context(TLSConfig(*files, client_ca=str(tmp_path / "ca.pem")))
    clients = [ssl.create_default_context() for _ in range(2)]
    for each in clients:
        authority.configure_trust(each)
    authority.issue_cert("a@b.c", common_name="a client", organization_name="Mail, Inc.").configure_cert(clients[1])
    found = []
    async with serving(Rules(tls_available=True), tls_context=server_side) as server:
        for each in clients:
            client = await server.connect()
            await client.hello()
            (connection,) = server.backend._connections.values()
            assert connection.session.tls is None
            await client.say("STARTTLS")
            await client.writer.start_tls(each, server_hostname="127.0.0.1")
            await client.say("EHLO again")
            found.append(connection.session.tls)
            await client.say("QUIT")
            await until(lambda: not server.backend._connections)
    assert [each.version for each in found] == ["TLSv1.3", "TLSv1.3"]
    assert all(each.cipher.startswith("TLS_") for each in found)
    assert found[0].subject is None
    assert found[1].subject.startswith("CN=a client,")
    assert ",O=Mail\\, Inc." in found[1].subject
