from __future__ import annotations

import asyncio

import pytest

from rrpy.smtp_plugin.delivery.history import History, WaitRequest
from rrpy.smtp_plugin.delivery.outcome import ACCEPTED
from rrpy.smtp_plugin.delivery.refusals import RefusalReport
from rrpy.smtp_plugin.session import Envelope, Session

pytestmark = pytest.mark.anyio


def add(history: History, subject: str = "Hello") -> None:
    session, envelope = Session(None, ("127.0.0.1", 1)), Envelope()
    envelope.mail_from, envelope.rcpt_tos = "a@b", ["c@d"]
    envelope.content = f"Subject: {subject}\r\n\r\nbody".encode()
    history.add(session, envelope, 1e9, ACCEPTED)


def ask(**given) -> WaitRequest:
    return WaitRequest(**{"timeout": 20.0, **given})


async def test_what_is_there_comes_at_once_and_in_order():
    history = History(10)
    for subject in ("one", "=?utf-8?q?zw=C3=B6lf?="):
        add(history, subject)
    result = await history.wait(ask(cursor=0))
    assert [(mail.number, mail.subject) for mail in result.messages] == [(1, "one"), (2, "zw\u00f6lf")]
    assert (result.cursor, result.missed) == (2, 0)
    (mail,) = (await history.wait(ask(cursor=1))).messages
    assert (mail.received_at, mail.sender, mail.to) == ("2001-09-09T01:46:40.000000+00:00", "a@b", ["c@d"])
    assert (mail.code, mail.reply, mail.reason, mail.size) == (250, "OK: message accepted", "", 39)


@pytest.mark.parametrize("cursor", [None, 1])
async def test_who_knows_all_waits_for_the_next(cursor):
    history = History(10)
    add(history)
    waiting = [asyncio.create_task(history.wait(ask(cursor=cursor))) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    add(history, "next")
    for task in waiting:
        assert [mail.subject for mail in (await task).messages] == ["next"]


async def test_when_the_time_is_over_there_is_nothing_and_the_cursor_stays():
    history = History(10)
    add(history)
    for timeout in (0, 0.01):
        result = await history.wait(ask(cursor=1, timeout=timeout))
        assert (result.messages, result.cursor, result.missed) == ([], 1, 0)


async def test_what_is_forgotten_is_counted():
    history = History(2)
    for number in range(5):
        add(history, str(number))
    result = await history.wait(ask(cursor=1))
    assert ([mail.subject for mail in result.messages], result.missed, result.cursor) == (["3", "4"], 2, 5)


async def test_no_more_come_at_once_than_asked_for():
    history = History(10)
    for number in range(5):
        add(history, str(number))
    result = await history.wait(ask(cursor=0, limit=2))
    assert ([mail.subject for mail in result.messages], result.cursor) == (["0", "1"], 2)
    result = await history.wait(ask(cursor=result.cursor, limit=2))
    assert ([mail.subject for mail in result.messages], result.cursor) == (["2", "3"], 4)


async def test_a_cursor_of_another_host_s_begins_anew():
    history = History(10)
    add(history)
    for cursor, other in ((57, ""), (1, "of another host")):
        result = await history.wait(ask(cursor=cursor, history=other))
        assert ([mail.number for mail in result.messages], result.cursor) == ([1], 1)
    result = await history.wait(ask(cursor=1, history=result.history, timeout=0))
    assert result.messages == []


async def test_a_history_of_none_tells_only_how_many_there_were():
    history = History(0)
    add(history)
    result = await history.wait(ask(cursor=0))
    assert (result.messages, result.cursor, result.missed) == ([], 1, 1)


async def test_a_wait_that_is_cancelled_leaves_the_others_waiting():
    history = History(10)
    gone, staying = (asyncio.create_task(history.wait(ask())) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    add(history)
    assert len((await staying).messages) == 1


async def test_only_the_headers_are_kept_and_of_a_long_subject_the_beginning_is_shown():
    history = History(10)
    session, envelope = Session(None, ("127.0.0.1", 1)), Envelope()
    envelope.content = b"X: y\r\nSubject: " + b"long " * 1000 + b"\r\n\r\n" + b"body" * 1000
    history.add(session, envelope, 1e9, ACCEPTED)
    (mail,) = (await history.wait(ask(cursor=0))).messages
    assert mail.subject.startswith("long long")
    assert len(mail.subject) <= 1000
    envelope.content = b"no headers at all"
    history.add(session, envelope, 1e9, ACCEPTED)
    assert (await history.wait(ask(cursor=1))).messages[0].subject == ""


def report(number: int) -> RefusalReport:
    return RefusalReport(
        number=number,
        at="",
        uuid="",
        remote_addr="",
        helo="",
        sender="",
        to=(),
        recipients=0,
        command=f"RCPT {number}",
        code=452,
        reply="",
        setting="",
        reason="",
        ended=False,
        left_out=0,
    )


async def test_refusals_have_a_cursor_and_a_bound_of_their_own():
    history = History(2)
    add(history)
    for number in range(1, 4):
        history.add_refusal(report(number))
    result = await history.wait(ask(cursor=0, refusal_cursor=0))
    assert [mail.number for mail in result.messages] == [1]
    assert ([each.number for each in result.refusals], result.refusal_cursor) == ([2, 3], 3)
    assert (result.missed, result.missed_refusals) == (0, 1)


async def test_a_refusal_ends_the_wait_of_those_alone_that_ask_for_refusals():
    history = History(10)
    both = asyncio.create_task(history.wait(ask(cursor=0, refusal_cursor=0)))
    mail = asyncio.create_task(history.wait(ask(cursor=0)))
    await asyncio.sleep(0)
    history.add_refusal(report(1))
    assert [each.command for each in (await both).refusals] == ["RCPT 1"]
    await asyncio.sleep(0)
    assert not mail.done()
    add(history)
    result = await mail
    assert (len(result.messages), result.refusals, result.refusal_cursor) == (1, [], 1)
