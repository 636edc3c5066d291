"""What one connection takes of the loop and of memory: its turns, its unread input, its unsent replies."""

from __future__ import annotations

import asyncio

import pytest
from support.smtp_plugin.dialog import HOST, Driver
from support.smtp_plugin.talk import talking

from rrpy.smtp_plugin.delivery.outcome import ACCEPTED, Outcome, Pending
from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.smtp_plugin.protocol.dialog import MAX_IDLE_COMMANDS, SHARE, TRACED_SHARE, Dialog
from rrpy.smtp_plugin.protocol.phases import Event
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.deadlines import Timeouts
from rrpy.smtp_plugin.server.flow import LARGE_READ, MAX_UNHANDLED
from rrpy.smtp_plugin.session import Session

pytestmark = pytest.mark.anyio

OK = b"250 OK\r\n"
TO = b"MAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\n"
HELLO = b"EHLO x\r\n"
MESSAGE = TO + b"DATA\r\nhello\r\n.\r\n"
LAST = replies.TOO_MANY_COMMANDS.extended
CHEAP = {
    "noop": b"NOOP\r\n",
    "vrfy": b"VRFY x\r\n",
    "hello": HELLO,
    "transaction": b"MAIL FROM:<a@b.c> SIZE=1\r\nRSET\r\n",
    "chunk": TO + b"BDAT 1\r\nx" * 40 + b"RSET\r\n",
}


@pytest.mark.parametrize("kind", CHEAP)
@pytest.mark.parametrize("traced", [False, True])
def test_one_call_handles_a_share_of_the_commands(kind: str, traced: bool) -> None:
    dialog = Dialog(Rules(hostname=HOST), Session(None), (lambda line: None) if traced else None)
    dialog.receive(HELLO + CHEAP[kind] * 1000)
    calls = 0
    while dialog.event is Event.YIELD:
        said = dialog.take_output().splitlines()
        assert 0 < len([line for line in said if line[3:4] == b" "]) <= (TRACED_SHARE if traced else SHARE)
        assert dialog.waiting_bytes
        dialog.next_event()
        dialog.go_on()
        calls += 1
    assert calls >= 1000 // SHARE
    assert not dialog.waiting_bytes


def test_a_long_command_counts_as_several() -> None:
    dialog = Dialog(Rules(hostname=HOST), Session(None))
    dialog.receive(HELLO + (b"MAIL FROM:<a@b.c> AUTH=" + b"x" * 1900 + b"\r\nRSET\r\n") * 100)
    assert dialog.event is Event.YIELD
    assert dialog.take_output().count(b"\r\n") < 30


def test_messages_share_the_turn_with_commands() -> None:
    dialog = Dialog(Rules(hostname=HOST), Session(None))
    dialog.receive(HELLO + MESSAGE * 100)
    messages = 0
    while dialog.next_event() is Event.DELIVER:
        messages += 1
        dialog.answer(replies.ACCEPTED)
    assert 10 <= messages <= SHARE / 4


def test_many_short_messages_in_one_long_input_are_read_without_copies_of_it() -> None:
    driver = Driver()
    driver.send(HELLO + MESSAGE * 5000)
    assert len(driver.outcome.messages) == 5000
    driver.send(TO + b"DATA\r\n" + b"x" * 1_000_000 + b"\r\n.\r\nNOOP\r\n")
    assert driver.outcome.messages[-1][2] == b"x" * 1_000_000 + b"\r\n"
    assert driver.outcome.replies.endswith(OK)


@pytest.mark.parametrize("kind", CHEAP)
def test_commands_without_a_message_end_the_session(kind: str) -> None:
    driver = Driver(Rules(hostname=HOST, max_errors=0))
    for _ in range(2 * MAX_IDLE_COMMANDS):
        if driver.send(HELLO + CHEAP[kind]).endswith(LAST):
            break
    assert driver.outcome.closed
    assert driver.outcome.replies.count(LAST) == 1
    assert driver.outcome.replies.count(b"\r\n") > MAX_IDLE_COMMANDS


def test_a_message_begins_the_count_of_commands_anew() -> None:
    driver = Driver()
    driver.send(HELLO)
    for _ in range(4):
        driver.send(b"NOOP\r\n" * (MAX_IDLE_COMMANDS - 100) + MESSAGE)
    assert not driver.outcome.closed


def test_recipients_and_large_chunks_do_not_count() -> None:
    driver = Driver(Rules(hostname=HOST, max_recipients=0))
    driver.send(HELLO + b"MAIL FROM:<a@b.c>\r\n" + b"RCPT TO:<x@y.z>\r\n" * (2 * MAX_IDLE_COMMANDS))
    driver.send((b"BDAT 1024\r\n" + b"x" * 1024) * (MAX_IDLE_COMMANDS + 1) + b"BDAT 0 LAST\r\n")
    assert [len(content) for _, _, content in driver.outcome.messages] == [1024 * (MAX_IDLE_COMMANDS + 1)]
    assert not driver.outcome.closed


async def test_connections_take_turns() -> None:
    with talking() as one, talking() as other:
        one.say(b"NOOP\r\n" * 1000)
        assert not one.replies()
        assert other.say(b"NOOP\r\n") == OK
        await asyncio.sleep(0)
        said = one.replies()
        assert 0 < said.count(OK) < 1000
        assert (await one.replies_in_turns()).count(OK) > 0


async def test_what_comes_while_others_have_their_turn_keeps_its_order() -> None:
    with talking() as client:
        client.say(HELLO)
        client.connection.data_received(b"NOOP\r\n" * 200 + TO)
        client.connection.data_received(b"DATA\r\nhello\r\n.\r\nQUIT\r\n")
        said = await client.replies_in_turns()
        assert said.startswith(OK * 200)
        assert said.endswith(b"250 OK: message accepted\r\n221 Bye\r\n")
        assert client.wire.closed


async def test_the_input_of_a_client_that_has_ended_is_handled_turn_by_turn() -> None:
    with talking() as client:
        client.connection.data_received(HELLO + b"NOOP\r\n" * 300 + MESSAGE)
        assert client.connection.eof_received()
        assert (await client.replies_in_turns()).endswith(
            OK + b"250 OK\r\n250 OK\r\n354 Start mail input\r\n250 OK: message accepted\r\n"
        )
        assert client.wire.closed
        assert len(client.backend.messages) == 1


@pytest.mark.parametrize("end", ["drain", "kill", "lost"])
async def test_a_connection_that_ends_between_two_turns_handles_no_more(end: str) -> None:
    with talking() as client:
        client.say(HELLO + b"NOOP\r\n" * 300)
        if end == "drain":
            client.connection.drain()
        elif end == "kill":
            client.connection.kill(replies.CLOSED_BY_ADMIN)
        else:
            client.connection.connection_lost(None)
        assert (client.replies()[:4] == b"421 ") is (end != "lost")
        assert await client.replies_in_turns() == b""


async def test_a_message_between_its_chunks_outlives_the_drain() -> None:
    with talking() as client:
        client.say(HELLO + TO + b"BDAT 1\r\nx" * 100 + b"BDAT 0 LAST\r\nNOOP\r\n")
        client.connection.drain()
        said = await client.replies_in_turns()
        assert said.endswith(b"250 OK: message accepted\r\n421 4.3.2 Service is shutting down\r\n")


async def test_a_large_read_is_the_only_one_of_its_turn() -> None:
    with talking() as client:
        client.say(HELLO + TO + b"DATA\r\n")
        client.say(b"x" * (LARGE_READ + 1))
        assert not client.wire.is_reading()
        await asyncio.sleep(0)
        assert client.wire.is_reading()


async def test_a_client_that_does_not_read_its_replies_gets_no_more_of_them() -> None:
    budget = Budget(1_000_000)
    with talking(Rules(hostname=HOST, budget=budget)) as client:
        client.connection.pause_writing()
        client.wire.unsent = 20_000
        client.connection.data_received(b"NOOP " + b"x" * 90 + b"\r\n")
        client.say((b"NOOP " + b"x" * 90 + b"\r\n") * 1000)
        assert len(await client.replies_in_turns()) <= len(OK) * SHARE
        assert not client.wire.is_reading()
        assert budget.used >= 20_000 + MAX_UNHANDLED
        client.wire.unsent = 0
        client.connection.resume_writing()
        assert (await client.replies_in_turns()).count(OK) > 1000 - 2 * SHARE
        assert client.wire.is_reading()
        assert budget.used == 0


async def test_what_a_connection_holds_is_given_back_to_the_budget_when_it_is_lost() -> None:
    budget = Budget(1_000_000)
    with talking(Rules(hostname=HOST, budget=budget)) as client:
        client.wire.unsent = 20_000
        client.connection.pause_writing()
        assert budget.used == 20_000
        client.connection.connection_lost(None)
        assert budget.used == 0


async def test_a_client_that_reads_no_replies_has_a_deadline_for_its_commands() -> None:
    with talking(timeouts=Timeouts(read=60, write=1000)) as client:
        client.connection.pause_writing()
        client.wire.unsent = 1
        client.say(b"NOOP\r\n" * 1000)
        await client.replies_in_turns()
        assert client.turn(59) == b""
        assert client.turn(1) == replies.timeout("read_timeout", 60).extended


async def test_an_outcome_does_not_start_the_answers_to_a_client_that_reads_none() -> None:
    outcome: Pending[Outcome] = Pending()
    with talking(verdict=lambda *_: outcome) as client:
        client.say(HELLO + MESSAGE + b"NOOP\r\n" * 1000)
        client.connection.pause_writing()
        outcome.settle(ACCEPTED)
        assert (await client.replies_in_turns()).count(OK) <= SHARE
