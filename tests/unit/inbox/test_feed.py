"""The feed: what a reader gets, wherever it was."""

from __future__ import annotations

import re
from contextlib import aclosing

import anyio
import pytest

from rrpy.inbox import feed as feeds
from rrpy.inbox.feed import EVENTS, KEPT, Feed

pytestmark = pytest.mark.anyio


def parsed(chunk: bytes) -> tuple[str, str, str]:
    found = re.fullmatch(rb"event: (\w+)\nid: (\S+)\ndata: (.*)\n\n", chunk)
    assert found, chunk
    name, number, data = (part.decode() for part in found.groups())
    return name, number, data


async def test_a_reader_gets_what_happens_in_its_order() -> None:
    feed = Feed()
    async with aclosing(feed.follow()) as events:
        assert await anext(events) == b"retry: 1000\n\n"
        assert parsed(await anext(events))[0] == "reset"
        feed.publish("message", b'{"a": 1}')
        feed.connections(3)
        assert parsed(await anext(events))[::2] == ("message", '{"a": 1}')
        name, place, data = parsed(await anext(events))
        assert (name, data) == ("connections", '{"open": 3}')
    feed.publish("cleared")
    async with aclosing(feed.follow(place)) as events:
        await anext(events)
        assert parsed(await anext(events))[0] == "cleared"
    async with aclosing(feed.follow("nonsense")) as events:
        await anext(events)
        assert parsed(await anext(events))[::2] == ("reset", '{"open": 3}')
    assert set(EVENTS) == {
        "message",
        "deleted",
        "read",
        "released",
        "cleared",
        "refusal",
        "refusals_cleared",
        "connections",
        "reset",
    }


async def test_a_reader_that_is_too_slow_looks_at_everything_anew() -> None:
    feed = Feed()
    async with aclosing(feed.follow()) as events:
        for _ in range(2):
            await anext(events)
        for number in range(KEPT):
            feed.publish("message", b"%d" % number)
        assert parsed(await anext(events))[2] == "0", "as many as are kept are not too many"
    async with aclosing(feed.follow()) as events:
        for _ in range(2):
            await anext(events)
        for _ in range(KEPT + 1):
            feed.publish("message")
        assert parsed(await anext(events))[0] == "reset"
        feed.publish("cleared")
        assert parsed(await anext(events))[0] == "cleared"


async def test_a_reader_hears_that_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "KEEP_ALIVE", 0.01)
    feed = Feed()
    async with aclosing(feed.follow()) as events:
        for _ in range(2):
            await anext(events)
        assert await anext(events) == b": still here\n\n"


async def test_readers_are_counted_and_leave_when_the_feed_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MAX_READERS", 1)
    feed = Feed()
    got: list[bytes] = []

    async def read() -> None:
        async with aclosing(feed.follow()) as events:
            got.extend([event async for event in events])

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await feed.wait_for_readers()
            assert feed.full
            feed.publish("message")
            feed.close()
    assert feed.closed
    assert not feed.full
    assert len(got) >= 2
