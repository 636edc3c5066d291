"""The memory of an inbox: `max_bytes` bounds all that it holds, and an answer with the list has a bound too."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import anyio
import pytest
from support.inbox.stored import ids_of, kept, received

from rrpy.container.sqlite.opening import PAGE
from rrpy.inbox.feed import EVENT, Feed, room_of_feed
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.store.query import parse
from rrpy.inbox.store.store import MAX_LIST, Store

MEGABYTE = 1024 * 1024
RECIPIENTS = [f"{number:060}@example.com" for number in range(2000)]


def parts(count: int, size: int) -> bytes:
    """Return a mail with attachments."""
    part = "--b\r\nContent-Disposition: attachment\r\n\r\n" + "x" * size + "\r\n"
    return f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{part * count}--b--\r\n".encode()


def headers() -> bytes:
    """Return a mail with as many headers as are read."""
    return "".join(f"{'x' * 100}{number}: y\r\n" for number in range(999)).encode() + b"\r\n"


MAILS: dict[str, dict[str, Any]] = {
    "recipients": {"to": RECIPIENTS},
    "attachments that just miss their page": {"content": parts(400, 1100)},
    "attachments of one byte": {"content": parts(900, 1)},
    "headers": {"content": headers()},
    "a transcript": {"transcript": ["C: " + "x" * 1000] * 500},
    "small": {},
    "of half a page": {"content": b"\r\n" + b"x" * 700},
    "large": {"content": b"\r\n" + b"x" * 500_000},
    "not ASCII": {"content": ("\r\n" + "ü" * 100_000).encode()},
    "accents that become many": {"content": ("\r\n" + "\ufdfa" * 20_000).encode()},
}


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("kind", MAILS)
def test_the_database_is_as_large_as_it_counts(kind: str) -> None:
    """95 MB were counted where 799 MB were held: recipients, transcripts and the names of headers did not count."""
    store = Store(max_bytes=8 * MEGABYTE)
    evicted = 0
    count = 0
    while evicted < 20 and count < 10_000:
        evicted += len(kept(store, str(count), **MAILS[kind]))
        count += 1
        (pages,) = store._database.execute("PRAGMA page_count").fetchone()
        assert pages * PAGE <= 8 * MEGABYTE + 64 * 1024
        assert store.bytes <= 8 * MEGABYTE
    assert evicted
    assert pages * PAGE >= 2 * MEGABYTE, "it does not count far too much either"
    store.close()


def test_events_count_and_the_oldest_leave() -> None:
    feed = Feed(10_000)
    for number in range(100):
        feed.publish("message", b'{"id": "%d", "x": "%b"}' % (number, b"x" * 1000))
        assert feed.bytes <= 10_000
        assert feed.bytes == sum(EVENT + len(event.data) for event in feed._ring)
    assert 5 < len(feed._ring) < 10
    feed.forget(["99"])
    assert feed.bytes == sum(EVENT + len(event.data) for event in feed._ring)
    feed.publish("message", b"x" * 20_000)
    assert feed.bytes == 0
    feed.publish("message")
    feed.forget()
    assert feed.bytes == 0


@pytest.mark.anyio
async def test_a_reader_keeps_one_event_alone_alive() -> None:
    """A reader that stopped kept all events that it had not read, when the ring had dropped them long ago."""
    feed = Feed(100_000)
    async with aclosing(feed.follow()) as events:
        for _ in range(2):
            await anext(events)
        for number in range(50):
            feed.publish("message", b"%d" % number)
        assert b"data: 0\n" in await anext(events)
        feed.forget()
        assert b"event: reset\n" in await anext(events)


@pytest.mark.anyio
@pytest.mark.parametrize("max_bytes", [1, 2 * MEGABYTE, 16 * MEGABYTE, 256 * MEGABYTE])
def test_the_feed_has_a_part_of_the_limit(max_bytes: int) -> None:
    assert room_of_feed(max_bytes) <= max_bytes / 8
    assert room_of_feed(0) == room_of_feed(256 * MEGABYTE) <= 4 * MEGABYTE


@pytest.mark.anyio
async def test_messages_and_events_are_in_the_limit_together() -> None:
    mailbox = await Mailbox.open("", max_messages=0, max_bytes=4 * MEGABYTE)
    for number in range(40):
        await mailbox.add(received(str(number), to=RECIPIENTS))
        found = await mailbox.list_messages(limit=1, before=None)
        assert found.bytes + mailbox.feed.bytes <= 4 * MEGABYTE
    assert found.total > 3
    await mailbox.aclose()


@pytest.mark.anyio
async def test_an_answer_with_the_list_is_bounded_and_the_next_one_goes_on() -> None:
    store = Store()
    for number in range(100):
        kept(store, str(number), to=RECIPIENTS)
    mailbox = Mailbox(store)
    seen = 0
    before = None
    for search in ("", "example.com"):
        answers = 0
        while True:
            found = await mailbox.list_messages(limit=500, before=before, search=parse(search))
            sizes = [len(memoryview(message)) for message in found.messages]
            assert sum(sizes) <= MAX_LIST + max(sizes)
            answers += 1
            seen += len(sizes)
            before = found.next
            if before is None:
                break
        assert answers > 2
    assert seen == 200
    with anyio.fail_after(10):
        await mailbox.aclose()


def test_a_summary_larger_than_an_answer_is_alone_in_it() -> None:
    store = Store()
    for name in ("small", "large", "last"):
        kept(store, name, to=RECIPIENTS if name == "large" else ["x@y.z"])
    first = store.list_messages(limit=10, room=1000)
    assert ids_of(first) == ["last", "large"]
    assert ids_of(store.list_messages(limit=10, room=1000, before=first.next)) == ["small"]
    store.close()
