"""Mail in memory that waits unparsed until it is read: each reader sees it at once, and no limit is exceeded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from support.inbox.stored import ids_of, received
from support.waiting import TIMEOUT

from rrpy.inbox.feed import MAX_BYTES as FEED_BYTES
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.store import arrivals as module
from rrpy.inbox.store.query import EVERYTHING
from rrpy.inbox.store.store import StoreError
from rrpy.inbox.waiting import Target
from rrpy.mime.mailboxes import MailboxBy
from rrpy.mime.matching import Filter
from rrpy.smtp_plugin.delivery.observers import ReceivedMail

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def opened(max_messages: int = 0, max_bytes: int = 0, path: str = "") -> AsyncIterator[Mailbox]:
    inbox = await Mailbox.open(path, max_messages=max_messages, max_bytes=max_bytes)
    await anyio.wait_all_tasks_blocked()  # the look for messages without an index
    yield inbox
    await inbox.aclose()


async def arrive(inbox: Mailbox, *names: str, **fields: object) -> list[ReceivedMail]:
    mails = [received(name, **fields) for name in names]  # type: ignore[arg-type]
    for mail in mails:
        await inbox.add(mail)
    return mails


def is_parsed(mail: ReceivedMail) -> bool:
    return "parsed" in mail.__dict__


async def listed(inbox: Mailbox) -> list[str]:
    return ids_of(await inbox.list_messages(limit=50, before=None))


async def test_mail_waits_unparsed_until_a_list_and_is_in_it_in_its_order() -> None:
    async with opened() as inbox:
        mails = await arrive(inbox, "1", "2", "3")
        await anyio.wait_all_tasks_blocked()
        assert not any(map(is_parsed, mails))
        assert await listed(inbox) == ["3", "2", "1"]
        assert all(map(is_parsed, mails))


async def test_the_oldest_leave_unparsed_where_only_the_newest_are_kept() -> None:
    async with opened(max_messages=3) as inbox:
        await arrive(inbox, "a", "b", "c")
        assert await listed(inbox) == ["c", "b", "a"]
        mails = await arrive(inbox, *map(str, range(10)))
        assert await listed(inbox) == ["9", "8", "7"]
        assert [is_parsed(mail) for mail in mails] == [False] * 7 + [True] * 3
        assert [(each.messages, each.unread) for each in await inbox.mailboxes()] == [(3, 3)]


@pytest.mark.parametrize("name", ["get", "delete", "mark", "clear", "mailboxes", "newest"])
async def test_each_operation_sees_the_mail_that_waits(name: str) -> None:
    async with opened() as inbox:
        await arrive(inbox, "1", "2")
        if name == "get":
            assert await inbox.read("1") is not None
        elif name == "delete":
            assert await inbox.delete("1")
        elif name == "mark":
            assert await inbox.mark(True, EVERYTHING, None) == 2
        elif name == "clear":
            assert await inbox.clear() == 2
        elif name == "mailboxes":
            assert [each.messages for each in await inbox.mailboxes()] == [2]
        else:
            newest = await inbox.read("latest")
            assert newest is not None
            assert newest.listed().id == "2"


async def test_a_stream_gets_the_mail_that_waits_and_then_each_mail_at_once() -> None:
    async with opened() as inbox:
        await arrive(inbox, "0")
        await listed(inbox)
        (event,) = inbox.feed._ring
        place = f"{inbox.feed._boot}-{event.number}"
        await arrive(inbox, "1")
        async with aclosing(inbox.feed.follow(place)) as events:
            await anext(events)
            with anyio.fail_after(TIMEOUT):
                assert b'"id":"1"' in await anext(events), "no list asks for it"
                for name in ("2", "3"):
                    await arrive(inbox, name)
                    assert b'"id":"%b"' % name.encode() in await anext(events)


async def test_a_wait_gets_the_mail_that_waits_and_one_for_later_mail_does_not() -> None:
    async with opened() as inbox:
        await arrive(inbox, "1")
        late = Target(Filter.of(), after=None)
        assert not (await inbox.waits.wait(late, 0)).messages
        await arrive(inbox, "2")
        assert [each.id for each in (await inbox.waits.wait(Target(Filter.of()), 0)).messages] == ["2"]
        found: list[str] = []

        async def wait() -> None:
            found.extend(each.id for each in (await inbox.waits.wait(late, TIMEOUT)).messages)

        await arrive(inbox, "3")
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert found == []
            (mail,) = await arrive(inbox, "4")
            assert is_parsed(mail)
        assert found == ["4"]


async def test_readers_at_the_same_time_all_see_it_and_one_that_goes_away_takes_nothing() -> None:
    async with opened() as inbox:
        mails = await arrive(inbox, *map(str, range(150)))
        seen: list[int] = []

        async def read() -> None:
            seen.append((await inbox.list_messages(limit=1, before=None)).total)

        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as away:
                    away.start_soon(read)
                    await anyio.lowlevel.checkpoint()
                    scope.cancel()
            for _ in range(5):
                group.start_soon(read)
        assert seen == [150] * 5
        assert all(map(is_parsed, mails))


async def test_what_waits_is_bounded_in_mails_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNREAD", 5)
    async with opened() as inbox:
        mails = await arrive(inbox, *map(str, range(5)))
        await anyio.wait_all_tasks_blocked()
        assert await listed(inbox) == ["4", "3", "2", "1", "0"]
        assert all(map(is_parsed, mails))
        await arrive(inbox, "5")
        assert await listed(inbox) == ["5", "4", "3", "2", "1", "0"]
    async with opened(max_bytes=16 * 10_000) as inbox:
        assert inbox.feed._max_bytes < FEED_BYTES
        mails = await arrive(inbox, "1", "2", text="x" * 4000)
        await inbox._arrivals.finish()
        assert all(map(is_parsed, mails))


async def test_a_large_or_refused_mail_and_mail_of_a_file_do_not_wait(tmp_path: object) -> None:
    async with opened() as inbox:
        first, large = await arrive(inbox, "1"), await arrive(inbox, "2", text="x" * module.LARGE)
        assert is_parsed(first[0]), "they are stored in their order"
        assert is_parsed(large[0])
        await arrive(inbox, "3", code=550)
        assert [b'"message":"3"' in bytes(each) for each in inbox.refusals.newest_first().refusals] == [True]
    async with opened(path=f"{tmp_path}/inbox.db") as inbox:
        assert is_parsed((await arrive(inbox, "1"))[0])
    inbox = await Mailbox.open("", max_messages=0, max_bytes=0, by=MailboxBy("recipient"))
    assert is_parsed((await arrive(inbox, "1"))[0]), "its mailbox is known when it is parsed"
    await inbox.aclose()


async def test_mail_that_is_put_into_a_mailbox_does_not_push_out_that_of_another() -> None:
    async with opened(max_messages=2) as inbox:
        await arrive(inbox, "1", "2")
        for name in ("a", "b"):
            await inbox.add(received(name), "other")
        assert await listed(inbox) == ["b", "a", "2", "1"]


async def test_a_mail_that_cannot_be_stored_later_is_reported() -> None:
    reports: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: reports.append(context))
    async with opened() as inbox:
        await arrive(inbox, "1", "1", "2")
        assert await listed(inbox) == ["2", "1"]
    loop.set_exception_handler(handler)
    assert [each["message"] for each in reports] == ["the mail 1 is lost: it cannot be stored"]
    assert isinstance(reports[0]["exception"], StoreError)
