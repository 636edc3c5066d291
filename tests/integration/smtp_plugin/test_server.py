"""The SMTP server on real sockets: messages, limits, and the ends of connections."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from support.smtp_plugin.server import MESSAGE, Serving, serving

from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.smtp_plugin.protocol.rules import Rules

pytestmark = pytest.mark.anyio


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


async def test_a_connection_over_the_limit_is_told_so() -> None:
    async with serving(max_connections=1) as server:
        first = await server.connect()
        await first.hello()
        second = await server.connect()
        assert await second.rest() == "421 4.3.2 Too many connections, try again later: the limit is 1\r\n"
        (line,) = server.log.keys("session ended")
        assert (line["code"], line["setting"]) == (421, "smtp.max_connections: 1")
        assert await first.say("NOOP") == "250 OK\r\n"
        assert len(server.backend.connections()) == 1


async def test_a_client_over_its_own_limit_is_told_so() -> None:
    async with serving(max_per_ip=1) as server:
        first = await server.connect()
        await first.hello()
        second = await server.connect()
        assert (await second.rest()).endswith(": the limit of one client is 1\r\n")
        assert server.log.keys("session ended")[0]["setting"] == "smtp.max_connections_per_ip: 1"
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
