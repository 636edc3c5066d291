"""Replies that a rule delays, cuts or slows down, on a connection whose clock the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.smtp_plugin.talk import Talk, talking

from rrpy.smtp_plugin.failures.book import RuleBook
from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.deadlines import LINGER, Timeouts

pytestmark = pytest.mark.anyio

BEGIN = b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\n"
OK = b"250 OK\r\n"


@contextmanager
def failing(*rules: object, **options: object) -> Iterator[Talk]:
    book = RuleBook()
    for rule in rules:
        book.add(rule)
    with talking(Rules(hostname="mx.test", failures=book.failures), **options) as client:  # type: ignore[arg-type]
        yield client


async def test_a_delayed_reply_comes_in_its_time_and_what_is_pipelined_after_it() -> None:
    with failing({"at": "rcpt", "delay": "20s"}) as client:
        assert client.say(BEGIN + b"NOOP\r\n").endswith(b"HELP\r\n250 AUTH PLAIN LOGIN\r\n" + OK)
        assert client.wait(19.9) == b""
        assert client.say(b"NOOP\r\n") == b""
        assert client.wait(0.2) == OK * 3
        assert client.say(b"RSET\r\n") == OK


async def test_the_time_of_a_delay_is_not_the_clients() -> None:
    with failing({"at": ["hello", "data"], "delay": "100s"}, timeouts=Timeouts(read=10, data=10)) as client:
        client.say(b"EHLO x\r\n")
        assert client.connection.idle_since is None
        assert client.wait(99) == b""
        assert b"mx.test" in client.wait(2)
        assert client.wait(8) == b""
        client.say(BEGIN.partition(b"\n")[2] + b"DATA\r\n")
        assert client.wait(99) == b""
        assert client.wait(2)[:4] == b"354 "
        assert client.wait(8) == b""
        assert client.wait(3)[:9] == b"421 4.4.2"


async def test_a_greeting_can_be_delayed() -> None:
    with failing({"at": "connect", "delay": 5}) as client:
        assert client.say(b"EHLO x\r\n") == b""
        said = client.wait(5)
        assert said.startswith(b"220 mx.test")
        assert said.endswith(b"LOGIN\r\n")


async def test_a_slow_reply_comes_byte_by_byte() -> None:
    with failing({"at": "mail", "throttle": 2}) as client:
        client.say(b"EHLO x\r\n")
        client.say(b"MAIL FROM:<a@b.c>\r\nNOOP\r\n")
        assert [client.wait(0.5 if number else 0) for number in range(8)] == [
            *(b"2", b"5", b"0", b" ", b"O", b"K", b"\r", b"\n250 OK\r\n")
        ]


async def test_a_throttle_of_many_bytes_sends_some_each_tick() -> None:
    with failing({"at": "mail", "throttle": 40}) as client:
        client.say(b"EHLO x\r\n")
        client.say(b"MAIL FROM:<a@b.c>\r\n")
        assert client.wait(0.0) == b"250 "
        assert client.wait(0.1) == b"OK\r\n"


@pytest.mark.parametrize(("drop", "said"), [(True, b""), ("before", b""), ("after", OK)])
async def test_a_dropped_connection_is_shut_after_what_was_said_before(drop: object, said: bytes) -> None:
    with failing({"at": "mail", "drop": drop}) as client:
        assert client.say(b"EHLO x\r\nNOOP\r\nMAIL FROM:<a@b.c>\r\nNOOP\r\n").endswith(OK)
        assert client.wait(0) == said
        assert client.wire.ended
        assert not client.wire.closed
        client.wait(LINGER + 1)
        assert client.wire.aborted
        assert [each["setting"] for each in client.backend.log.keys("session ended")] == ["smtp.rules: 1"]


async def test_half_a_reply_is_the_last_thing_that_a_client_reads() -> None:
    with failing({"at": "message", "partial": True}) as client:
        client.say(BEGIN + b"DATA\r\n")
        client.say(b"x\r\n.\r\nNOOP\r\n")
        assert client.wait(0) == replies.ACCEPTED.plain[: len(replies.ACCEPTED.plain) // 2]
        assert client.wire.ended
        assert len(client.backend.messages) == 1


async def test_a_421_by_rule_is_sent_in_its_time_and_ends_the_session() -> None:
    with failing({"at": "mail", "reply": "421 4.3.2 Going down", "delay": 3}) as client:
        client.say(BEGIN)
        assert not client.wire.ended
        assert client.wait(3) == b"421 4.3.2 Going down\r\n"
        assert client.wire.ended


async def test_a_stop_ends_a_delay_at_once_and_no_other_begins() -> None:
    with failing({"at": ["data", "message"], "delay": "1h"}) as client:
        client.say(BEGIN + b"DATA\r\n")
        drained = asyncio.create_task(client.listener.drain())
        await asyncio.sleep(0)
        assert client.replies()[:4] == b"354 "
        client.say(b"x\r\n.\r\n")
        assert client.wait(0) == replies.ACCEPTED.plain + replies.STOPPING.plain
        client.connection.connection_lost(None)
        await drained


async def test_a_stop_sends_a_slow_reply_in_one_piece() -> None:
    with failing({"at": "mail", "throttle": 1}) as client:
        client.say(b"EHLO x\r\n")
        client.say(b"MAIL FROM:<a@b.c>\r\n")
        assert client.wait(2) == b"250"
        drained = asyncio.create_task(client.listener.drain())
        await asyncio.sleep(0)
        assert client.replies() == b" OK\r\n" + replies.STOPPING.plain
        client.connection.connection_lost(None)
        await drained


async def test_a_client_that_leaves_or_an_administrator_ends_a_delay() -> None:
    with failing({"at": "mail", "delay": "1h"}) as client:
        client.say(BEGIN)
        client.connection.kill(replies.CLOSED_BY_ADMIN)
        assert client.replies() == replies.CLOSED_BY_ADMIN.plain
        other = client.another()
        other.say(BEGIN)
        other.connection.connection_lost(None)
        assert client.wait(7200) == other.replies() == b""


async def test_a_client_that_has_shut_its_side_gets_its_delayed_reply() -> None:
    with failing({"at": "mail", "delay": 5}) as client:
        client.say(BEGIN)
        assert client.connection.eof_received()
        assert client.wait(5) == OK + OK
        assert client.wire.closed


async def test_a_client_that_pipelines_a_flood_into_a_delay_is_not_read() -> None:
    with failing({"at": "mail", "delay": 5, "times": 1}) as client:
        client.say(BEGIN + b"NOOP\r\n" * 20_000)
        assert not client.wire.is_reading()
        client.wait(5)
        await client.replies_in_turns()
        assert client.wire.is_reading()
