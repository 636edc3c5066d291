"""Read marks, which the host keeps, and changes of many messages."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import httpx
import msgspec
import pytest
from support.inbox.stored import ids, kept, without_mailboxes
from support.log import Log

from rrpy.inbox.config import InboxConfig
from rrpy.inbox.mail_servers import MailServers
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.records import Summary
from rrpy.inbox.store import selection
from rrpy.inbox.store.query import parse
from rrpy.inbox.store.store import Store
from rrpy.inbox.web.application import application

pytestmark = pytest.mark.anyio


def filled(path: str = "", count: int = 6, **limits: int) -> Store:
    store = Store(path, **limits)
    for number in range(count):
        kept(store, str(number), "even" if number % 2 == 0 else "odd")
    return store


def names(store: Store) -> list[str]:
    return [name for (name,) in store._database.execute("SELECT id FROM messages ORDER BY number DESC")]


def test_the_mark_is_the_last_field_of_a_summary() -> None:
    assert Summary.__struct_fields__[-1] == "read"


def test_marks_are_in_the_list_in_the_message_and_in_a_search(tmp_path: Path) -> None:
    path = str(tmp_path / "inbox.db")
    store = filled(path)
    assert store.mark(True, ["1", "3", "unknown", "latest"]).ids == ["1", "3", "5"]
    assert store.mark(True, ["3"]).ids == []
    store.close()
    store = Store(path)
    assert store.unread == store.list_messages(limit=1).unread == 3
    assert ids(store, search="is:unread") == ["4", "2", "0"]
    assert ids(store, search="is:read -3") == ["5", "1"]
    page = [msgspec.json.decode(each, type=Summary) for each in store.list_messages(limit=9).messages]
    assert [each.read for each in page] == [True, False, True, False, True, False]
    for name in ("0", "1"):
        found = store.read(name)
        assert found is not None
        assert found.listed().read == (name == "1")
    assert store.mark(False, parse("odd")).ids == ["5", "3", "1"]
    assert store.unread == 6
    store.close()


def test_unread_is_counted_whatever_happens() -> None:
    store = filled(max_messages=6)
    assert store.mark_all(True) == 6
    assert store.mark_all(True) == 0
    kept(store, "6")
    assert (store.total, store.unread) == (6, 1)
    store.delete("6")
    store.delete("5")
    assert (store.total, store.unread) == (4, 0)
    store.mark(False, ["4"])
    kept(store, "7")
    assert (store.total, store.unread) == (5, 2)
    assert store.mark_all(False) == 3
    store.clear()
    assert store.unread == store.mark_all(False) == 0
    store.close()


def test_a_file_of_an_older_host_gets_marks_and_its_messages_are_unread(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    filled(str(path), 2).close()
    older = sqlite3.connect(path)
    older.execute("DROP TABLE read")
    without_mailboxes(older)
    older.execute("PRAGMA user_version = 2")
    new = b',"defects":0,"mailbox":"default","read":false}'
    older.execute("UPDATE messages SET summary = CAST(replace(summary, ?, '}') AS BLOB)", (new,))
    older.commit()
    older.close()
    store = Store(str(path))
    assert store.unread == 2
    store.mark(True, ["1"])
    assert ids(store, search="is:read") == ["1"]
    found = store.read("1")
    assert found is not None
    assert found.listed().read
    store.close()


async def test_many_are_deleted_and_marked_slice_by_slice_and_the_feed_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "SLICE", 0)  # one message
    store = filled()
    mailbox = Mailbox(store)
    assert await mailbox.mark(True, parse("even"), None) == 3
    assert await mailbox.delete_many(parse("odd"), 5) == 2, "those with numbers below 5"
    assert names(store) == ["5", "4", "2", "0"]
    assert [event.name for event in mailbox.feed._ring] == ["read"] * 3 + ["deleted"] * 2
    assert mailbox.feed._ring[2].data == b'{"ids":["0"],"read":true,"unread":3}'
    assert await mailbox.mark(False, parse(""), None) == 3
    assert mailbox.feed._ring[-1].data == b'{"ids":null,"read":false,"unread":4}'
    assert await mailbox.delete_many(parse(""), 6) == 3
    assert names(store) == ["5"]
    assert await mailbox.delete_many(parse(""), 7) == 1
    assert [event.name for event in mailbox.feed._ring] == ["cleared"]
    store.close()


async def test_a_change_of_many_names_what_it_is_for() -> None:
    store = filled()
    app = application(Mailbox(store), MailServers(), InboxConfig(), Log())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/api/v1/") as client:
        for method, query, sentence in (
            ("DELETE", "search=", "search is empty; leave it out to choose every message"),
            ("DELETE", "search=is:new", "is:new is unknown; is: takes refused, accepted, read or unread"),
            ("DELETE", "id=1&search=odd", "id does not go with search or before"),
            ("DELETE", "id=1&before=3", "id does not go with search or before"),
            ("DELETE", "&".join(["id=x"] * 501), "id: at most 500 of them"),
            ("PATCH", "read=2", "read is '2'; it is a whole number from 0 to 1"),
        ):
            answer = await client.request(method, f"messages?{query}")
            assert (answer.status_code, answer.json()["detail"]) == (400, sentence)
        assert store.total == store.unread == 6
        assert (await client.patch("messages?id=1&id=2&read=1")).json() == {"changed": 2}
        found = (await client.get("messages?search=is:read from:a@b.c")).json()
        assert ([each["id"] for each in found["messages"]], found["hits"]) == (["2", "1"], ["a@b.c"])
        assert (await client.delete("messages?id=0&id=0&id=5")).json() == {"deleted": 2}
        assert (await client.delete("messages?search=even")).json() == {"deleted": 2}
        assert (await client.delete("messages?id=")).json() == {"deleted": 0}
        assert (await client.delete("messages")).json() == {"deleted": 2}
    store.close()
