"""The SMTP server on real sockets: replies, deadlines, limits, and every way in which a connection ends."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import threading

import anyio
import pytest
from support.smtp_plugin.client import Client
from support.smtp_plugin.server import Serving, serving

from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.smtp_plugin.protocol.rules import Rules

pytestmark = pytest.mark.anyio

MESSAGE = "MAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\nDATA\r\nhello {}\r\n.\r\n"


async def test_everything_before_the_end_of_the_input_is_answered_and_stored() -> None:
    async with serving() as server:
        client = await server.connect()
        client.send(("EHLO x\r\n" + MESSAGE.format(1) + MESSAGE.format(2) + "QUIT\r\n").encode())
        client.writer.write_eof()
        said = await client.rest()
        assert said.count("250 OK: message accepted\r\n") == 2
        assert said.endswith("221 Bye\r\n")
        assert [content for *_, content in server.backend.messages] == [b"hello 1\r\n", b"hello 2\r\n"]
        await server.emptied()


async def test_an_incomplete_message_is_not_stored() -> None:
    async with serving(Rules(budget=Budget(1000))) as server:
        client = await server.connect()
        await client.begin()
        client.send(b"half a message\r\n")
        client.writer.write_eof()
        assert await client.rest() == ""
        await server.emptied()
        assert server.backend.messages == []
        assert server.backend.connections() == []
        assert server.listener.rules.budget.used == 0


async def test_a_reset_in_data_leaves_nothing_behind() -> None:
    async with serving(Rules(budget=Budget(10**6))) as server:
        client = await server.connect()
        await client.begin()
        client.send(b"x" * 1000)
        client.vanish()
        await server.emptied()
        assert server.listener.rules.budget.used == 0
        assert server.backend.connections() == []


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


async def test_a_connection_over_the_limit_is_told_so() -> None:
    async with serving(max_connections=1) as server:
        first = await server.connect()
        await first.hello()
        second = await server.connect()
        assert await second.rest() == "421 4.3.2 Too many connections, try again later\r\n"
        assert await first.say("NOOP") == "250 OK\r\n"
        assert len(server.backend.connections()) == 1


async def test_a_client_over_its_own_limit_is_told_so() -> None:
    async with serving(max_per_ip=1) as server:
        first = await server.connect()
        await first.hello()
        second = await server.connect()
        assert (await second.rest()).startswith("421 4.3.2 ")
        assert await first.say("QUIT") == "221 Bye\r\n"
        first.close()
        second.close()
        await server.emptied()
        third = await server.connect()
        await third.hello()


@pytest.mark.parametrize("where", ["greeting", "auth", "data", "transaction"])
async def test_a_connection_can_be_closed_from_every_state(where: str) -> None:
    async with serving() as server:
        client = await server.connect()
        if where == "greeting":
            await client.reply()
        elif where == "auth":
            await client.hello()
            assert await client.say("AUTH LOGIN") == "334 VXNlcm5hbWU6\r\n"
        elif where == "data":
            await client.begin()
            client.send(b"half\r\n")
        else:
            await client.hello()
            await client.say("MAIL FROM:<a@b>")
        (info,) = server.backend.connections()
        assert server.backend.close_connection(info.uuid) is True
        assert server.backend.close_connection(info.uuid) is False
        assert server.backend.connections() == []
        assert await client.rest() == "421 4.3.2 Connection closed by the administrator\r\n"
        client.close()
        await server.emptied()
        assert server.backend.messages == []


async def test_draining_tells_idle_sessions_and_lets_a_message_end() -> None:
    async with serving() as server:
        idle, sending, chunking = [await server.connect() for _ in range(3)]
        await idle.hello()
        await sending.begin()
        await chunking.hello()
        await chunking.say("MAIL FROM:<a@b>")
        await chunking.say("RCPT TO:<c@d>")
        assert await chunking.say(b"BDAT 2\r\nab") == "250 OK\r\n"
        drained = asyncio.create_task(server.listener.drain())
        assert await idle.rest() == "421 4.3.2 Service is shutting down\r\n"
        idle.close()
        assert not drained.done()
        sending.send(b"the end\r\n.\r\n")
        assert await sending.rest() == "250 OK: message accepted\r\n421 4.3.2 Service is shutting down\r\n"
        sending.close()
        chunking.send(b"BDAT 1 LAST\r\nc")
        assert await chunking.rest() == "250 OK: message accepted\r\n421 4.3.2 Service is shutting down\r\n"
        chunking.close()
        with anyio.fail_after(10):
            await drained
        assert [content for *_, content in server.backend.messages] == [b"the end\r\n", b"abc"]
        with pytest.raises(OSError, match="refused"):
            await server.connect()


async def test_a_session_waits_for_its_delivery_and_keeps_the_order() -> None:
    gate = asyncio.Event()

    async def later() -> replies.Reply:
        await gate.wait()
        return replies.custom(250, "2.6.0 queued")

    async with serving(verdict=lambda *_: later()) as server:
        client = await server.connect()
        await client.hello()
        client.send((MESSAGE.format(1) + "NOOP\r\n" + MESSAGE.format(2) + "NOPE\r\n").encode())
        assert [await client.reply() for _ in range(3)] == ["250 OK\r\n", "250 OK\r\n", "354 Start mail input\r\n"]
        gate.set()
        said = [await client.reply() for _ in range(7)]
        assert said == [
            "250 queued\r\n",
            "250 OK\r\n",
            "250 OK\r\n",
            "250 OK\r\n",
            "354 Start mail input\r\n",
            "250 queued\r\n",
            "500 5.5.1 Command not recognized\r\n",
        ]


async def test_a_client_that_has_shut_its_side_still_gets_the_verdict() -> None:
    gate = asyncio.Event()

    async def later() -> replies.Reply:
        await gate.wait()
        return replies.ACCEPTED

    async with serving(verdict=lambda *_: later()) as server:
        client = await server.connect()
        await client.begin()
        client.send(b"x\r\n.\r\n")
        client.writer.write_eof()
        asyncio.get_running_loop().call_later(0.05, gate.set)
        assert await client.rest() == "250 OK: message accepted\r\n"
        await server.emptied()


async def test_a_delivery_outlives_its_client() -> None:
    gate, done = asyncio.Event(), asyncio.Event()

    async def later() -> replies.Reply:
        await gate.wait()
        done.set()
        return replies.ACCEPTED

    async with serving(verdict=lambda *_: later()) as server:
        client = await server.connect()
        await client.begin()
        client.send(b"x\r\n.\r\n")
        with anyio.fail_after(5):
            await server.backend.delivered.wait()
        client.vanish()
        await server.emptied()
        gate.set()
        with anyio.fail_after(5):
            await server.listener.drain()
        assert done.is_set()


async def test_what_waits_behind_a_delivery_is_bounded() -> None:
    gate = asyncio.Event()

    async def later() -> replies.Reply:
        await gate.wait()
        return replies.ACCEPTED

    async with serving(verdict=lambda *_: later()) as server:
        client = await server.connect()
        await client.begin()
        client.send(b"x\r\n.\r\n" + b"NOOP\r\n" * 500_000)
        await server.backend.delivered.wait()
        (connection,) = server.listener.connections
        with anyio.fail_after(10):
            while connection.transport is not None and connection.transport.is_reading():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        assert connection.dialog.waiting_bytes < 1_000_000
        gate.set()
        assert await client.reply() == "250 OK: message accepted\r\n"
        for _ in range(500_000):
            assert await client.reader.readexactly(8) == b"250 OK\r\n"


@pytest.mark.parametrize("how", ["at once", "later"])
async def test_an_exception_is_a_temporary_failure_without_its_text(how: str) -> None:
    async def later() -> replies.Reply:
        raise RuntimeError("250 forged\r\nsecret")

    def verdict(*_: object) -> object:
        if how == "at once":
            raise RuntimeError("250 forged\r\nsecret")
        return later()

    async with serving(verdict=verdict) as server:
        client = await server.connect()
        await client.begin()
        assert await client.say(b"x\r\n.\r\n") == "451 4.3.0 Temporary failure\r\n"
        assert await client.say("NOOP") == "250 OK\r\n"
        assert server.log.keys("delivery failed")


async def test_two_hundred_sessions_of_three_messages_lose_none() -> None:
    async def session(server: Serving, number: int) -> None:
        client = await server.connect()
        await client.hello()
        for each in range(3):
            client.send(MESSAGE.format(f"{number}.{each}").encode())
            assert [(await client.reply())[:3] for _ in range(4)] == ["250", "250", "354", "250"]
        assert await client.say("QUIT") == "221 Bye\r\n"

    async with serving() as server:
        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(session(server, number))
        await server.emptied()
        assert len({content for *_, content in server.backend.messages}) == 600
        assert len(server.log.keys("email received")) == 600
        assert server.backend.connections() == []


async def test_no_password_is_ever_logged() -> None:
    async with serving() as server:
        client = await server.connect()
        await client.hello()
        await client.say("AUTH LOGIN aHVudGVyMQ==")
        await client.say("aHVudGVyMg==")
        assert (await client.say("AUTH PLAIN AGh1bnRlcjEAaHVudGVyMg==")).startswith("503 ")
        logged = str(server.log.lines)
        assert "AUTH LOGIN ***" in logged
        for secret in ("aHVudGVyM", "hunter", "AGh1bnRlcj"):
            assert secret not in logged


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


async def test_a_failed_handshake_ends_the_connection(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(Rules(tls_available=True), tls_context=tls[0]) as server:
        client = await server.connect()
        await client.hello()
        assert await client.say("STARTTLS") == "220 Ready to start TLS\r\n"
        client.send(b"EHLO in clear\r\n")
        await client.rest()
        await server.emptied()


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


async def test_a_connection_without_a_proxy_header_is_closed_without_a_word() -> None:
    async with serving(proxy_protocol=True, read_timeout=0.3) as server:
        for sent in (b"EHLO x\r\n", b"PROXY nonsense\r\n", b"PROXY TCP4 ", b""):
            client = await server.connect()
            client.send(sent)
            assert await client.rest() == ""
            client.close()
        await server.emptied()


async def test_a_client_behind_a_proxy_has_its_own_limit() -> None:
    async with serving(proxy_protocol=True, max_per_ip=1) as server:
        first = await server.connect()
        first.send(V1)
        assert (await first.reply()).startswith("220 ")
        second = await server.connect()
        second.send(V1)
        assert await second.rest() == "421 4.3.2 Too many connections, try again later\r\n"
        third = await server.connect()
        third.send(V1.replace(b"192.0.2.7", b"192.0.2.9"))
        assert (await third.reply()).startswith("220 ")


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


async def test_handshakes_count_as_connections(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with serving(implicit_tls=tls[0], max_connections=2) as server:
        clients = [await server.connect() for _ in range(3)]
        assert await clients[2].rest() == ""
        assert len(server.listener._handshakes) == 2


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


async def test_draining_waits_for_a_delivery_under_way() -> None:
    gate = asyncio.Event()

    async def later() -> replies.Reply:
        await gate.wait()
        return replies.ACCEPTED

    async with serving(verdict=lambda *_: later()) as server:
        client = await server.connect()
        await client.begin()
        client.send(b"x\r\n.\r\n")
        await server.backend.delivered.wait()
        drained = asyncio.create_task(server.listener.drain())
        await asyncio.sleep(0)
        assert not drained.done()
        gate.set()
        assert await client.rest() == "250 OK: message accepted\r\n421 4.3.2 Service is shutting down\r\n"
        client.close()
        with anyio.fail_after(5):
            await drained


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


async def test_a_delivery_that_is_done_is_no_reason_to_hear_a_client_that_does_not_read() -> None:
    async def later() -> replies.Reply:
        await asyncio.sleep(0)
        return replies.ACCEPTED

    async with serving(Rules(max_errors=0), verdict=lambda *_: later(), write_timeout=30) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((server.host, server.port))
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, b"HELO x\r\n")
            batch = b"HELP\r\n" * 5000 + MESSAGE.format("x").encode()
            sent = 0
            with anyio.move_on_after(2):
                while sent < 40_000_000:
                    await loop.sock_sendall(client, batch)
                    sent += len(batch)
            assert sent < 40_000_000
            (connection,) = server.listener.connections
            assert connection.transport is not None
            assert connection.transport.get_write_buffer_size() < 4_000_000
