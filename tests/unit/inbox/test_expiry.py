"""Messages that are older than `inbox.max_age` leave the inbox."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from support.container.clock import TurnedLoop, run
from support.inbox.stored import ids, received
from support.log import Log
from support.waiting import until

from rrpy.inbox.expiry import CHECK, expire
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.records import record_of
from rrpy.inbox.store import index as indexes
from rrpy.inbox.store import store as stores
from rrpy.inbox.store.store import Store

HOUR = 3600.0


def deleted(mailbox: Mailbox) -> list[list[str]]:
    return [json.loads(event.data)["ids"] for event in mailbox.feed._ring if event.name == "deleted"]


def test_a_timer_of_the_loop_deletes_what_has_become_old() -> None:
    async def test(loop: TurnedLoop) -> None:
        store = Store()
        mailbox = Mailbox(store)
        for name, age in (("old", 2 * HOUR), ("young", 0.0)):
            await mailbox.add(received(name, at=time.time() - age))
        task = asyncio.create_task(expire(mailbox, HOUR, Log()))
        await until(lambda: ids(store) == ["young"])
        await mailbox.add(received("as old", at=time.time() - HOUR - 1))
        await mailbox.delete("young")
        await asyncio.sleep(0)
        assert ids(store) == ["as old"]
        loop.turn(CHECK)
        await until(lambda: not store.total)
        assert (store.unread, store.bytes) == (0, 0)
        await until(lambda: deleted(mailbox)[-1] == ["as old"])
        assert ["old"] in deleted(mailbox)
        assert not [event for event in mailbox.feed._ring if event.name == "message"], "no event keeps an old message"
        task.cancel()
        await mailbox.aclose()

    run(test)


def test_a_short_age_is_its_own_interval_and_none_is_for_ever() -> None:
    async def test(loop: TurnedLoop) -> None:
        store = Store()
        mailbox = Mailbox(store)
        await mailbox.add(received("old", at=0.0))
        await expire(mailbox, 0.0, Log())
        assert ids(store) == ["old"]
        await mailbox.delete("old")
        task = asyncio.create_task(expire(mailbox, 5.0, Log()))
        await asyncio.sleep(0)
        await mailbox.add(received("older", at=0.0))
        loop.turn(5.0)
        await until(lambda: not store.total)
        task.cancel()
        await mailbox.aclose()

    run(test)


def test_a_failing_store_is_a_line_in_the_log_and_tried_again() -> None:
    async def test(loop: TurnedLoop) -> None:
        store = Store()
        mailbox = Mailbox(store)
        store.close()
        log = Log()
        task = asyncio.create_task(expire(mailbox, HOUR, log))
        await until(lambda: len(log.lines) == 1)
        loop.turn(CHECK)
        await until(lambda: len(log.lines) == 2)
        assert "old messages stay in the inbox" in str(log.lines[0])
        task.cancel()
        await mailbox.aclose()

    run(test)


def test_all_old_messages_leave_a_file_and_its_index_in_few_statements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "INDEXED_FROM", 0)
    monkeypatch.setattr(stores, "CHANGED", 200)
    monkeypatch.setattr(indexes, "BLOCK", 64)

    async def test(loop: TurnedLoop) -> None:
        path = tmp_path / "inbox.db"
        store = Store(str(path))
        store.add(*(record_of(received(f"old{number}", "x" * 2000, at=float(number))) for number in range(500)))
        store.add(record_of(received("new", at=time.time())))
        while store.index():
            pass
        size = path.stat().st_size
        commits: list[str] = []
        store._database._connection.set_trace_callback(lambda query: query == "COMMIT" and commits.append(query))
        mailbox = Mailbox(store)
        assert await mailbox.delete_older(1000.0) == 500
        assert await mailbox.delete_older(1000.0) == 0
        assert len(commits) == 3
        assert ids(store) == ["new"]
        assert [len(each) for each in deleted(mailbox)] == [200, 200, 100]
        assert store._database.execute("SELECT min(block) FROM bitmaps").fetchone() in {(7,), (None,)}
        assert path.stat().st_size < size / 5
        await mailbox.aclose()

    run(test)
