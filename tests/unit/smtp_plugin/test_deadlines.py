"""Deadlines, with a clock that the test turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from support.smtp_plugin.talk import Talk, talking

from rrpy.smtp_plugin.delivery.outcome import ACCEPTED, Outcome, Pending
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.deadlines import LINGER, LINGER_AT_STOP, Timeouts

pytestmark = pytest.mark.anyio

ENVELOPE = b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\n"
TIMEOUT = b"421 4.4.2 Timeout, closing connection: the limit is %d s\r\n"
SLOW = b"421 4.4.2 Message too slow, closing connection: the least rate is 500 bytes a second\r\n"


def dribble(client: Talk, data: bytes, seconds: int) -> bytes:
    """Send the same bytes every second; return the replies."""
    said = b""
    for _ in range(seconds):
        said += client.say(data) + client.turn(1)
    return said


@asynccontextmanager
async def draining(client: Talk) -> AsyncIterator[None]:
    """Let the listener drain meanwhile."""
    async with anyio.create_task_group() as group:
        group.start_soon(client.listener.drain)
        await asyncio.sleep(0)
        yield
        group.cancel_scope.cancel()


async def test_a_command_must_be_complete_a_read_timeout_after_the_last_reply() -> None:
    with talking(timeouts=Timeouts(read=60)) as client:
        assert client.turn(59)[:4] == b"220 "
        assert client.say(b"NOOP\r\n") == b"250 OK\r\n"
        assert dribble(client, b"N", 59) == b""
        assert client.turn(1) == TIMEOUT % 60
        assert client.connection.closing


@pytest.mark.parametrize(
    "before",
    [
        *(b"", b"EHLO x\r\n", b"EHLO x\r\nAUTH LOGIN\r\n", ENVELOPE + b"BDAT 10\r\nhalf", ENVELOPE + b"BDAT 1\r\nx"),
        ENVELOPE + b"DATA\r\nhalf",
    ],
    ids=["greeting", "command", "auth", "chunk", "between chunks", "data"],
)
async def test_a_silent_client_is_cut_in_every_state(before: bytes) -> None:
    in_message = b"DATA" in before or b"BDAT" in before
    with talking(timeouts=Timeouts(read=60, data=40)) as client:
        client.say(before)
        assert client.turn(39 if in_message else 59) == b""
        assert client.turn(1) == TIMEOUT % (40 if in_message else 60)


async def test_a_stalled_message_is_cut_however_fast_it_began() -> None:
    with talking() as client:
        client.say(ENVELOPE + b"DATA\r\n")
        client.turn(30)
        client.say(b"x" * 1_000_000)
        assert client.turn(179) == b""
        assert client.turn(1) == TIMEOUT % 180
        assert client.backend.messages == []


async def test_a_client_that_keeps_its_connection_may_pause_for_minutes() -> None:
    """A mailer of a queue worker sent its next mail into a 421 after 60 s (RFC 5321 section 4.5.3.2.7: 5 minutes)."""
    with talking() as client:
        assert client.say(ENVELOPE + b"DATA\r\nhello\r\n.\r\n").endswith(b"250 OK: message accepted\r\n")
        assert client.turn(299) == b""
        assert client.say(b"NOOP\r\n") == b"250 OK\r\n"
        assert client.turn(299) == b""
        assert client.turn(1) == TIMEOUT % 300


async def test_a_scanner_may_pause_between_two_pages_of_a_message() -> None:
    """A scanner sends a page, then waits for the next one; the message was cut after 60 s."""
    with talking() as client:
        client.say(ENVELOPE + b"DATA\r\n")
        for _ in range(10):
            assert client.say(b"QUJDREVGR0g=\r\n" * 300) == b""
            assert client.turn(75) == b""
        assert client.say(b".\r\n") == b"250 OK: message accepted\r\n"


@pytest.mark.parametrize("bytes_a_second", [50, 300])
async def test_a_message_that_is_fast_enough_may_take_any_time(bytes_a_second: int) -> None:
    with talking() as client:
        client.say(ENVELOPE + b"DATA\r\n")
        assert dribble(client, b"x" * (bytes_a_second - 2) + b"\r\n", 1200) == b""
        assert client.say(b".\r\n") == b"250 OK: message accepted\r\n"


@pytest.mark.parametrize("begin", [b"", b"x" * 1_000_000])
async def test_a_message_slower_than_the_least_rate_is_cut_after_a_grace(begin: bytes) -> None:
    """Half of the rate uses up the grace in twice its time, however many bytes came before."""
    with talking(timeouts=Timeouts(data=60, rate=500)) as client:
        client.say(ENVELOPE + b"DATA\r\n" + begin)
        assert dribble(client, b"x" * 250, 121) == b""
        assert dribble(client, b"x" * 250, 2) == SLOW


async def test_chunks_of_one_byte_are_as_slow_as_their_bytes() -> None:
    """Each chunk began the grace anew, so that a message of `BDAT 1` took any time."""
    with talking(timeouts=Timeouts(data=60, rate=500)) as client:
        client.say(ENVELOPE)
        assert dribble(client, b"BDAT 1\r\nx", 60) == b"250 OK\r\n" * 60
        assert dribble(client, b"BDAT 1\r\nx", 2).endswith(SLOW)


async def test_chunks_that_are_fast_enough_may_take_any_time() -> None:
    with talking(timeouts=Timeouts(data=60, rate=500)) as client:
        client.say(ENVELOPE)
        assert dribble(client, b"BDAT 500\r\n" + b"x" * 500, 600) == b"250 OK\r\n" * 600


async def test_no_least_rate_is_no_limit() -> None:
    with talking(timeouts=Timeouts(data=60, rate=0)) as client:
        client.say(ENVELOPE + b"DATA\r\n")
        assert dribble(client, b"x", 600) == b""
        assert client.say(b"\r\n.\r\n") == b"250 OK: message accepted\r\n"


async def test_a_refused_chunk_is_read_for_as_long_as_it_comes() -> None:
    with talking(Rules(max_message_size=50_000), timeouts=Timeouts(read=60)) as client:
        client.say(b"EHLO x\r\nBDAT 200000\r\n")
        said = dribble(client, b"x" * 1000, 199)
        assert said == b""
        assert client.say(b"x" * 1000)[:4] == b"503 "
        assert client.say(b"NOOP\r\n") == b"250 OK\r\n"


async def test_a_delivery_has_no_deadline_and_the_next_command_its_own() -> None:
    outcome: Pending[Outcome] = Pending()
    with talking(verdict=lambda *_: outcome, timeouts=Timeouts(read=60)) as client:
        client.say(ENVELOPE + b"DATA\r\nhello\r\n.\r\nNO")
        assert client.turn(1000) == b""
        outcome.settle(ACCEPTED)
        assert client.replies() == b"250 OK: message accepted\r\n"
        assert client.turn(59) == b""
        assert client.turn(1) == TIMEOUT % 60


async def test_a_client_that_reads_none_of_its_replies_is_cut() -> None:
    with talking(timeouts=Timeouts(write=10)) as client:
        client.wire.unsent = len(client.wire.sent)
        client.turn(10)
        assert not client.wire.aborted
        client.turn(1)
        assert client.wire.aborted


async def test_a_client_that_reads_its_replies_slowly_is_not_cut() -> None:
    with talking(timeouts=Timeouts(read=1000, write=10)) as client:
        client.say(b"HELP\r\n" * 100)
        for unread in range(100, 0, -1):
            client.wire.unsent = unread
            client.turn(9)
        assert not client.wire.closed


async def test_a_connection_that_the_server_ends_lingers_and_drops_its_input() -> None:
    with talking() as client:
        client.connection.drain()
        assert client.replies().endswith(b"421 4.3.2 Service is shutting down\r\n")
        assert client.wire.ended
        assert client.say(b"NOOP\r\n") == b""
        client.turn(LINGER - 0.1)
        assert not client.wire.closed
        client.turn(0.1)
        assert client.wire.aborted


async def test_a_lingering_connection_is_not_cut_while_its_last_reply_waits_to_be_read() -> None:
    with talking(timeouts=Timeouts(write=10)) as client:
        client.connection.drain()
        client.wire.unsent = 1
        client.turn(LINGER + 1)
        assert not client.wire.closed
        client.wire.unsent = 0
        client.turn(1)
        assert client.wire.aborted


@pytest.mark.parametrize("before", [b"", b"HELP\r\n" * 5000, ENVELOPE + b"DATA\r\nx\r\n.\r\n"])
async def test_a_stop_does_not_wait_for_a_client_that_does_not_read(before: bytes) -> None:
    """It waited for `write_timeout`, and for its sweep of a second."""
    with talking(timeouts=Timeouts(write=1000)) as client:
        client.say(before)
        client.wire.unsent = 100
        async with draining(client):
            assert client.connection.closing
            for _ in range(3):
                client.turn(LINGER_AT_STOP)
            assert client.wire.aborted


async def test_a_stop_waits_for_no_client_that_reads_slowly() -> None:
    with talking(timeouts=Timeouts(write=1000)) as client:
        async with draining(client):
            for unread in range(100, 91, -1):
                client.wire.unsent = unread
                client.turn(LINGER_AT_STOP / 4)
            assert client.wire.aborted


async def test_a_stop_waits_for_a_message_under_way() -> None:
    with talking() as client:
        client.say(ENVELOPE + b"DATA\r\nhalf")
        async with draining(client):
            client.turn(100)
            assert client.say(b"\r\n.\r\n")[:4] == b"250 "
            assert client.connection.closing


async def test_a_proxy_header_has_a_timeout_of_its_own() -> None:
    with talking(proxy_protocol=True) as client:
        assert client.say(b"PROXY TCP4 ") == b""
        assert client.turn(59) == b""
        assert not client.wire.closed
        assert client.turn(1) == b""
        assert client.wire.aborted
        client.connection.connection_lost(None)
        for _ in range(3):  # the reader of the header ends
            await asyncio.sleep(0)


async def test_after_a_pause_of_the_loop_what_came_in_time_is_read_before_a_deadline_counts() -> None:
    with talking(timeouts=Timeouts(read=60, write=10)) as client:
        client.say(b"EHLO x\r\n")
        client.wire.unsent = 1
        client.sweep(1)
        client.sweep(600)
        assert not client.wire.aborted
        client.wire.unsent = 0
        assert client.say(b"NOOP\r\n") == b"250 OK\r\n"
        assert client.sweep(1) == b""
        assert client.turn(59) == TIMEOUT % 60


async def test_after_a_pause_of_the_loop_a_silent_client_is_cut_at_the_second_look() -> None:
    with talking(timeouts=Timeouts(read=60)) as client:
        assert client.sweep(600)[:4] == b"220 "
        assert client.sweep(1) == TIMEOUT % 60


async def test_a_loop_that_is_always_late_cuts_silent_clients_all_the_same() -> None:
    with talking(timeouts=Timeouts(read=60)) as client:
        assert client.sweep(40)[:4] == b"220 "
        assert client.sweep(40) == TIMEOUT % 60


IDLE = b"421 4.3.2 Idle for too long while many clients are connected\r\n"


async def test_idle_sessions_make_room_while_most_places_are_taken() -> None:
    with talking(max_connections=10) as busy:
        in_message, *idle = (busy.another() for _ in range(9))
        in_message.say(ENVELOPE + b"DATA\r\nhalf")
        busy.sweep(1)
        idle[0].say(b"NOOP\r\n")
        clients = (in_message, *idle)
        for client in clients:
            client.replies()
        for _ in range(58):
            busy.sweep(1)
        busy.say(b"NOOP\r\n")
        assert [client.replies() for client in clients] == [b""] * 9
        assert busy.sweep(1) == b""
        said = [client.replies() for client in clients]
        assert sorted(said) == [b""] * 8 + [IDLE], "one is enough, though seven are idle"
        assert said[0] == said[1] == b"", "the one idle for the longest goes first"
        assert busy.sweep(1) == b""
        assert [client.replies() for client in clients] == [b""] * 9, "one that is closing counts no more"


async def test_idle_sessions_stay_while_there_is_room() -> None:
    with talking(max_connections=10) as first:
        others = [first.another() for _ in range(8)]
        assert b"421" not in b"".join(first.sweep(1) for _ in range(120))
        assert all(client.replies()[:4] == b"220 " for client in others)
        assert not any(client.connection.closing for client in others)


async def test_without_a_limit_of_connections_no_session_makes_room() -> None:
    with talking(max_connections=0) as client:
        assert b"421" not in b"".join(client.sweep(1) for _ in range(120))
