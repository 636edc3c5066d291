"""A session and its delivery: the session waits for the outcome, and the delivery outlives the session."""

from __future__ import annotations

import asyncio
import socket

import anyio
import pytest
from support.smtp_plugin.server import MESSAGE, serving

from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.deadlines import Timeouts

pytestmark = pytest.mark.anyio


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
        client.send(b"x\r\n.\r\n" + (b"NOOP " + b"x" * 500 + b"\r\n") * 4_900)
        await server.backend.delivered.wait()
        (connection,) = server.listener.connections
        with anyio.fail_after(10):
            while connection.transport is not None and connection.transport.is_reading():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        assert connection.dialog.waiting_bytes < 1_000_000
        gate.set()
        assert await client.reply() == "250 OK: message accepted\r\n"
        for _ in range(4_900):
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


async def test_a_delivery_that_is_done_is_no_reason_to_hear_a_client_that_does_not_read() -> None:
    async def later() -> replies.Reply:
        await asyncio.sleep(0)
        return replies.ACCEPTED

    async with serving(Rules(max_errors=0), verdict=lambda *_: later(), timeouts=Timeouts(write=30)) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((server.host, server.port))
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, b"HELO x\r\n")
            batch = b"HELP\r\n" * 4000 + MESSAGE.format("x").encode()
            sent = 0
            with anyio.move_on_after(2):
                while sent < 40_000_000:
                    await loop.sock_sendall(client, batch)
                    sent += len(batch)
            assert sent < 40_000_000
            (connection,) = server.listener.connections
            assert connection.transport is not None
            assert connection.transport.get_write_buffer_size() < 4_000_000
