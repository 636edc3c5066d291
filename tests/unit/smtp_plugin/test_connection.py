"""A connection's states: the table, and what each state does with bytes, ends and outcomes."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest
from support.smtp_plugin.talk import talking

from rrpy.container.errors import IllegalTransition
from rrpy.container.states import Machine
from rrpy.smtp_plugin.delivery.outcome import ACCEPTED, Outcome, Pending
from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.server.deadlines import Timeouts
from rrpy.smtp_plugin.server.states import CONNECTION, State

pytestmark = pytest.mark.anyio

MESSAGE = b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\nDATA\r\nhello\r\n.\r\n"
EVENTS = sorted({event for row in CONNECTION.values() for event in row})


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", EVENTS)
def test_an_event_leads_where_the_table_says_or_is_illegal_and_changes_nothing(state: State, event: str) -> None:
    machine = Machine("connection", CONNECTION, state)
    to = CONNECTION[state].get(event)
    if to is not None:
        assert machine.on(event) is to
    else:
        with pytest.raises(IllegalTransition, match=f"{state.value}.*{event}"):
            machine.on(event)
        assert machine.state is state


async def test_a_message_whose_outcome_is_there_is_answered_at_once() -> None:
    with talking() as client:
        assert client.say(MESSAGE + b"NOOP\r\n").endswith(b"250 OK: message accepted\r\n250 OK\r\n")


async def test_a_connection_that_its_client_has_reset_ends_without_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """On asyncio's own loop the error of `shutdown` reached the log as a traceback, and ended the listener's sweeps."""

    def write_eof() -> None:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    with talking(timeouts=Timeouts(read=30)) as client:
        monkeypatch.setattr(client.wire, "write_eof", write_eof)
        assert client.turn(30.0).endswith(b"the limit is 30 s\r\n")
        client.turn(2.0)
        assert client.wire.aborted


async def test_input_waits_for_the_outcome_and_reading_pauses_when_it_is_much() -> None:
    outcome: Pending[Outcome] = Pending()
    with talking(verdict=lambda *_: outcome) as client:
        client.say(MESSAGE)
        assert client.say(b"NOOP\r\n" * 10) == b""
        assert client.wire.is_reading()
        client.say((b"NOOP " + b"x" * 400 + b"\r\n") * 200)
        assert not client.wire.is_reading()
        outcome.settle(ACCEPTED)
        assert await client.replies_in_turns() == b"250 OK: message accepted\r\n" + b"250 OK\r\n" * 210
        assert client.wire.is_reading()


async def test_the_end_of_a_delivery_does_not_resume_reading_from_a_client_that_does_not_read() -> None:
    outcome: Pending[Outcome] = Pending()
    with talking(verdict=lambda *_: outcome) as client:
        client.say(MESSAGE)
        client.connection.pause_writing()
        outcome.settle(ACCEPTED)
        assert not client.wire.is_reading()
        client.connection.resume_writing()
        assert client.wire.is_reading()


async def test_a_client_that_has_shut_its_side_gets_the_outcome_then_the_end() -> None:
    outcome: Pending[Outcome] = Pending()
    with talking(verdict=lambda *_: outcome) as client:
        client.say(MESSAGE)
        assert client.connection.eof_received() is True
        assert not client.wire.closed
        outcome.settle(ACCEPTED)
        assert client.replies() == b"250 OK: message accepted\r\n"
        assert client.wire.closed


async def test_a_client_that_has_shut_its_side_between_commands_is_closed() -> None:
    with talking() as client:
        assert client.connection.eof_received() is False


async def test_an_outcome_that_comes_after_the_client_has_gone_is_not_sent() -> None:
    outcome: Pending[Outcome] = Pending()
    with talking(verdict=lambda *_: outcome) as client:
        client.say(MESSAGE)
        client.connection.connection_lost(None)
        client.connection.connection_lost(None)
        outcome.settle(ACCEPTED)
        assert client.replies() == b""


async def test_an_outcome_that_comes_after_a_kill_is_not_sent() -> None:
    outcome: Pending[Outcome] = Pending()
    with talking(verdict=lambda *_: outcome) as client:
        client.say(MESSAGE)
        client.connection.kill(replies.CLOSED_BY_ADMIN)
        assert client.replies() == b"421 4.3.2 Connection closed by the administrator\r\n"
        outcome.settle(ACCEPTED)
        assert client.replies() == b""
        assert client.wire.ended


async def test_each_recipient_gets_its_reply_and_the_last_one_may_end_the_session() -> None:
    outcome = Outcome((replies.ACCEPTED, replies.TEMPORARY_FAILURE), replies.CLOSED_BY_WORKER)
    with talking(verdict=lambda *_: Pending.settled(outcome)) as client:
        *_, first, second, last = client.say(MESSAGE).splitlines()
        assert first == b"250 OK: message accepted"
        assert second == b"451 4.3.0 Temporary failure"
        assert last == b"421 4.3.0 Closing connection"
        assert client.wire.ended


async def test_after_quit_the_connection_is_closed_at_once() -> None:
    with talking() as client:
        assert client.say(b"QUIT\r\nNOOP\r\n") == b"221 Bye\r\n"
        assert client.wire.closed
        assert not client.wire.ended


async def test_bytes_after_a_proxy_header_are_the_dialog_s() -> None:
    with talking(proxy_protocol=True) as client:
        client.say(b"PROXY TCP4 198.51.100.7 192.0.2.2 1234 25\r\nEHLO x\r\nQUIT\r\n")
        assert client.connection.eof_received() is True
        for _ in range(3):
            await asyncio.sleep(0)
        assert client.replies().endswith(b"221 Bye\r\n")
        assert client.connection.session.remote_addr == "198.51.100.7:1234"
        assert client.wire.closed
