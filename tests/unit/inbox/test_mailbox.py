"""The order in which a mailbox works: mail first, then the others in turn."""

from __future__ import annotations

import threading
from functools import cached_property
from itertools import count

import anyio
import anyio.lowlevel
import msgspec
import pytest
from support.inbox.stored import MAIL, ids, kept, received
from support.inbox.watched import Watched
from support.waiting import TIMEOUT

from rrpy.inbox import mailbox as mailboxes
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.records import MessageList
from rrpy.inbox.store import selection
from rrpy.inbox.store.query import parse
from rrpy.inbox.store.store import Found, Store
from rrpy.mime.message import Message
from rrpy.mime.message import parse as parse_message
from rrpy.smtp_plugin.delivery.observers import ReceivedMail

pytestmark = pytest.mark.anyio


async def test_a_mail_goes_before_all_that_waits() -> None:
    store = Watched()
    mailbox = Mailbox(store)
    store.gate.clear()
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(lambda: mailbox.list_messages(limit=1, before=None))
        await anyio.to_thread.run_sync(store.begun.wait, TIMEOUT)
        for number in range(3):
            group.start_soon(mailbox.add, received(str(number)))
        await anyio.wait_all_tasks_blocked()
        store.gate.set()
    assert store.done.count("list") == 50
    assert store.done.count("add") == 1, "one transaction for all mail that waits"
    assert "add" not in store.done[5:], "the running operation, one more at most, and then the mail"


async def test_a_search_lets_mail_through_after_each_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "SLICE", 0)  # one message
    store = Watched()
    for number in range(20):
        kept(store, str(number))
    store.done.clear()
    store.begun.clear()
    store.gate.clear()
    mailbox = Mailbox(store)
    found: list[MessageList] = []

    async def search() -> None:
        found.append(await mailbox.list_messages(limit=50, before=None, search=parse("hi")))

    async with anyio.create_task_group() as group:
        group.start_soon(search)
        await anyio.to_thread.run_sync(store.begun.wait, TIMEOUT)
        group.start_soon(mailbox.add, received("new"))
        await anyio.wait_all_tasks_blocked()
        store.gate.set()
    assert store.done[:3].count("add") == 1
    assert store.done.count("list") == 20
    assert len(found[0].messages) == 20
    assert found[0].next is None


async def test_a_search_ends_after_so_many_slices_and_says_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "SLICE", 0)
    monkeypatch.setattr(mailboxes, "MAX_SLICES", 5)
    store = Watched()
    for number in range(12):
        kept(store, "needle" if number == 0 else str(number))
    mailbox = Mailbox(store)
    before, answers = None, 0
    while True:
        found = await mailbox.list_messages(limit=50, before=before, search=parse("needle"))
        answers += 1
        before = found.next
        if before is None:
            break
        assert not found.messages
    assert answers == 3
    assert msgspec.json.decode(found.messages[0])["subject"] == "needle"


@pytest.mark.parametrize("search", ["never", "is:read", "body:hi from:nobody", "header:x-tag"])
def test_the_time_of_a_slice_is_bounded_whatever_it_reads(search: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a quarter of a slice later than the one before it."""
    times = count(step=selection.SLICE / 4)
    store = Store()
    for number in range(12):
        kept(store, str(number))
    monkeypatch.setattr(selection, "now", lambda: next(times))
    slices = []
    before = None
    while True:
        found = store.list_messages(limit=50, before=before, search=parse(search))
        assert not found.messages
        slices.append(found.next)
        before = found.next
        if before is None:
            break
    assert slices == [9, 5, None]
    assert store.find(lambda _: False, 0) == Found(None, None, 9)


class Slow(ReceivedMail, frozen=True, dict=True, kw_only=True):
    """A mail whose parsing waits for `go_on`."""

    go_on: threading.Event

    @cached_property
    def message(self) -> Message:
        assert self.go_on.wait(TIMEOUT)
        return parse_message(self.content)


async def test_a_large_mail_that_takes_long_to_parse_holds_up_no_other() -> None:
    """One of 25 MB with a charset of errors held up all mail for 48 s."""
    store = Watched()
    mailbox = Mailbox(store)
    go_on = threading.Event()
    content = b"Subject: large\r\n\r\n" + b"x" * mailboxes.LARGE
    async with anyio.create_task_group() as group:
        group.start_soon(mailbox.add, Slow(**MAIL, id="large", content=content, go_on=go_on))
        await anyio.lowlevel.checkpoint()
        try:
            with anyio.fail_after(TIMEOUT / 2):
                await mailbox.add(received("small"))
        finally:
            go_on.set()
    assert ids(store) == ["large", "small"]
