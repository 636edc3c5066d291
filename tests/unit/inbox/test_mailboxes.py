"""Mailboxes: which mail stands in them, what leaves for their limits, and what an operation on one leaves alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from support.inbox.stored import ids_of, kept, received, without_mailboxes
from support.log import Log

from rrpy.container.config.fields import Secret
from rrpy.container.passwords import token_hash
from rrpy.inbox.config import InboxConfig, TokenConfig
from rrpy.inbox.mail_servers import MailServers
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.records import record_of
from rrpy.inbox.store.query import EVERYTHING, parse
from rrpy.inbox.store.store import Store
from rrpy.inbox.waiting import Target
from rrpy.inbox.web.application import application
from rrpy.inbox.web.routes import ROUTES
from rrpy.mime.mailboxes import DEFAULT, MailboxBy
from rrpy.mime.matching import Filter

pytestmark = pytest.mark.anyio

PREFIX = "/api/v1"


def add(store: Store, *names: str) -> list[str]:
    """Store a mail `box number` in each mailbox, and return the ids of those that have left."""
    gone: list[str] = []
    for name in names:
        box, _, _ = name.partition(" ")
        gone += store.add(record_of(received(name), box)).evicted
    return gone


def listed(store: Store, mailbox: str | None = None, search: str = "") -> list[str]:
    return ids_of(store.list_messages(limit=100, search=parse(search), mailbox=mailbox))


def counts(store: Store) -> dict[str, tuple[int, int]]:
    return {each.name: (each.messages, each.unread) for each in store.mailboxes()}


def test_a_mailbox_is_made_by_its_first_mail_and_lists_its_own(tmp_path: Path) -> None:
    path = str(tmp_path / "inbox.db")
    store = Store(path)
    add(store, "a 1", "b 1", "a 2")
    for _ in range(2):  # once more from the file
        assert listed(store, "a") == ["a 2", "a 1"]
        assert listed(store, "a", "b-1") == listed(store, "unknown") == []
        assert listed(store, None, "mailbox:B") == ["b 1"]
        assert listed(store, None, "-mailbox:b") == ["a 2", "a 1"]
        assert counts(store) == {"a": (2, 2), "b": (1, 1), DEFAULT: (0, 0)}
        assert [each.name for each in store.mailboxes()] == ["a", "b", DEFAULT]
        assert [each.newest is None for each in store.mailboxes()] == [False, False, True]
        assert sum(each.bytes for each in store.mailboxes()) == store.bytes
        assert store.read("b 1", "a") is None
        latest = store.read("latest", "b")
        assert latest is not None
        assert (latest.listed().id, latest.listed().mailbox) == ("b 1", "b")
        store.close()
        store = Store(path)
    store.close()


def test_messages_are_limited_in_each_mailbox_and_bytes_in_all() -> None:
    store = Store(max_messages=2)
    assert add(store, "a 1", "a 2", "b 1", "a 3") == ["a 1"]
    assert listed(store) == ["a 3", "b 1", "a 2"]
    batch = store.add(*(record_of(received(f"{box} {number}"), box) for box in "ab" for number in range(4, 7)))
    assert {name: list(gone) for name, gone in batch.gone.items()} == {"a": ["a 2", "a 3", "a 4"], "b": ["b 1", "b 4"]}
    room = Store()
    add(room, "a 1", "b 1", "b 2")
    store = Store(max_bytes=room.bytes)
    assert add(store, "a 1", "b 1", "b 2", "c 1") == ["a 1"]
    assert counts(store) == {"c": (1, 1), "b": (2, 2), "a": (0, 0), DEFAULT: (0, 0)}


def test_the_emptiest_and_oldest_mailbox_leaves_for_a_new_one(tmp_path: Path) -> None:
    path = str(tmp_path / "inbox.db")
    store = Store(path, max_mailboxes=4)
    assert add(store, "a 1", "b 1", "c 1", "a 2", "default 1") == []
    assert add(store, "d 1") == ["b 1"], "the oldest of the two with one message"
    store.delete("a 1")
    store.delete("a 2")
    assert add(store, "e 1") == []
    assert set(counts(store)) == {"c", "d", "e", DEFAULT}, "the empty one"
    store.close()
    store = Store(path, max_mailboxes=2)
    assert set(counts(store)) == {"e", DEFAULT}
    assert (store.total, store.unread) == (2, 2)
    assert add(store, "f 1", "g 1") == ["e 1", "f 1"]
    store.close()


def test_a_failed_transaction_changes_no_count() -> None:
    store = Store(max_messages=1, max_mailboxes=2)
    add(store, "a 1")
    before = store.mailboxes(), store.total, store.bytes
    with pytest.raises(Exception, match="UNIQUE"):
        store.add(record_of(received("b 1"), "b"), record_of(received("b 1"), "b"))
    assert (store.mailboxes(), store.total, store.bytes) == before
    assert add(store, "b 1") == ["a 1"]


def test_a_file_of_an_earlier_version_has_its_mail_in_one_mailbox(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    store = Store(str(path))
    kept(store, "1")
    kept(store, "2")
    store.mark(True, ["1"])
    size = store.bytes
    store.close()
    older = sqlite3.connect(path)
    without_mailboxes(older)
    older.execute("UPDATE messages SET summary = CAST(replace(summary, ',\"mailbox\":\"default\"', '') AS BLOB)")
    older.execute("PRAGMA user_version = 4")
    older.commit()
    older.close()
    store = Store(str(path))
    assert counts(store) == {DEFAULT: (2, 1)}
    assert store.bytes == size
    assert listed(store, DEFAULT) == listed(store, None, "mailbox:default") == ["2", "1"]
    add(store, "a 1")
    assert listed(store, DEFAULT) == ["2", "1"]
    store.close()


OPERATIONS: dict[str, Callable[[Mailbox], Any]] = {
    "delete": lambda box: box.delete("b 1", "a"),
    "delete the newest": lambda box: box.delete("latest", "a"),
    "delete by ids": lambda box: box.delete_many(["a 1", "b 1", "latest"], None, "a"),
    "delete by search": lambda box: box.delete_many(parse("hi"), None, "a"),
    "delete all": lambda box: box.delete_many(EVERYTHING, None, "a"),
    "delete the mailbox": lambda box: box.delete_mailbox("a"),
    "mark": lambda box: box.mark(True, EVERYTHING, None, "a"),
    "mark by ids": lambda box: box.mark(True, ["b 1", "a 1"], None, "a"),
    "clear refusals": lambda box: _cleared(box),
    "add": lambda box: box.add(received("a 9"), "a"),
}


async def _cleared(box: Mailbox) -> None:
    box.clear_refusals("a")


def view(inbox: Mailbox, store: Store, mailbox: str) -> list[object]:
    """Return all that a reader sees of a mailbox."""
    found = store.list_messages(limit=100, mailbox=mailbox)
    return [found, [each for each in store.mailboxes() if each.name == mailbox], inbox.refusals.newest_first(mailbox)]


@pytest.mark.parametrize("name", OPERATIONS)
async def test_no_operation_on_one_mailbox_touches_another(name: str) -> None:
    store = Store(max_messages=3)
    inbox = Mailbox(store, by=MailboxBy("recipient"))
    for number in range(3):
        await inbox.add(received(f"a {number}", code=550), "a")
        await inbox.add(received(f"b {number}", code=550), "b")
    await inbox.add(received("both", to=["a", "b"], code=550))
    before, other = view(inbox, store, "b"), view(inbox, store, "a")
    async with aclosing(inbox.feed.follow("", "b")) as of_b, aclosing(inbox.feed.follow("", "a")) as of_a:
        for events in (of_a, of_b):
            for _ in range(2):
                await anext(events)
        await OPERATIONS[name](inbox)
        assert view(inbox, store, "b") == before
        if view(inbox, store, "a") != other:
            assert b"event: " in await anext(of_a)
        else:
            assert name == "delete", "the message is not in this mailbox"
        await inbox.add(received("b 9"), "b")
        assert b'"id":"b 9"' in await anext(of_b), "no event about the other mailbox comes before it"
    await inbox.aclose()


async def test_a_mail_to_recipients_of_several_mailboxes_stands_in_each() -> None:
    store = Store()
    inbox = Mailbox(store, by=MailboxBy("domain"))
    await inbox.add(received("m", to=["a@one.test", "b@two.test", "c@one.test"], code=554))
    assert {each.name: each.messages for each in store.mailboxes()} == {"two.test": 1, "one.test": 1, DEFAULT: 0}
    assert (listed(store, "one.test"), listed(store, "two.test"), store.total) == (["m"], ["m-2"], 2)
    assert [len(inbox.refusals.newest_first(name).refusals) for name in ("one.test", "two.test", DEFAULT)] == [1, 1, 0]
    await inbox.delete("m")
    other = await inbox.read("m-2")
    assert other is not None
    assert other.listed().to == ["a@one.test", "b@two.test", "c@one.test"]
    await inbox.aclose()


async def test_a_mail_for_very_many_mailboxes_is_stored_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    inbox = Mailbox(store, by=MailboxBy("recipient"))
    sizes: list[int] = []
    add_records = store.add
    monkeypatch.setattr(store, "add", lambda *records: (sizes.append(len(records)), add_records(*records))[1])
    async with anyio.create_task_group() as group:
        group.start_soon(inbox.add, received("other"))
        group.start_soon(inbox.add, received("many", to=[f"{number}@a.test" for number in range(250)]))
        group.start_soon(inbox.add, received("last"))
    assert sizes == [1, 100, 1, 100, 50]  # others do not wait for all pieces
    assert store.total == 252
    await inbox.aclose()


async def test_a_mail_for_many_mailboxes_lets_others_in_between_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 24 MB for a hundred recipients held up all other mail for more than a minute."""
    for module in ("mailbox", "store.arrivals"):
        monkeypatch.setattr(f"rrpy.inbox.{module}.MAX_BYTES", 2000)
    inbox = Mailbox(Store(), by=MailboxBy("recipient"))
    stored: list[str] = []

    async def add(name: str, recipients: int) -> None:
        to = tuple(f"{name}{number}@x.y" for number in range(recipients))
        await inbox.add(received(name, "x" * 1500, to=to))
        stored.append(name)

    async with anyio.create_task_group() as group:
        for name, recipients in (("large", 9), ("also large", 9), ("small", 1)):
            group.start_soon(add, name, recipients)
    assert stored == ["small", "large", "also large"]
    await inbox.aclose()


async def test_a_request_waits_in_its_mailbox() -> None:
    inbox = Mailbox(Store(), by=MailboxBy("plus"))
    found: list[str] = []

    async def wait(mailbox: str | None) -> None:
        waited = await inbox.waits.wait(Target(Filter.of(subject="=both"), mailbox=mailbox), 30)
        found.append(f"{mailbox}: {waited.messages[0].id}")

    async with anyio.create_task_group() as group:
        group.start_soon(wait, "b")
        await anyio.wait_all_tasks_blocked()
        await inbox.add(received("x", text="", to=["u+a@t"], content=b"Subject: both\r\n\r\n"))
        await anyio.wait_all_tasks_blocked()
        assert found == []
        await inbox.add(received("y", to=["u+b@t"], content=b"Subject: both\r\n\r\n"))
    assert found == ["b: y"]
    await wait("a")
    assert found == ["b: y", "a: x"]
    await inbox.aclose()


@asynccontextmanager
async def asking(inbox: Mailbox, **config: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = application(inbox, MailServers(), InboxConfig(**config), Log())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://localhost{PREFIX}") as client:
        yield client
    await inbox.aclose()


async def test_each_door_takes_a_mailbox() -> None:
    store = Store()
    async with asking(Mailbox(store)) as client:
        add(store, "a 1", "b 1", "b/c 1", "a 2")
        names = [each["name"] for each in (await client.get("/mailboxes")).json()["mailboxes"]]
        assert names == ["a", "b/c", "b", DEFAULT]
        assert (await client.get("/messages?mailbox=A")).json()["total"] == 2
        assert (await client.get("/messages?mailbox=new")).json() == {
            "messages": [],
            "next": None,
            "total": 0,
            "bytes": 0,
            "unread": 0,
            "hits": [],
        }
        assert (await client.get("/messages/latest?mailbox=b")).json()["summary"]["id"] == "b 1"
        assert (await client.get("/messages/a 1/raw?mailbox=b")).status_code == 404
        assert (await client.delete("/messages/a 1?mailbox=b")).status_code == 404
        missed = await client.get("/wait?timeout=0&mailbox=b&subject==a")
        assert (missed.status_code, [each["id"] for each in missed.json()["received"]]) == (408, ["b 1"])
        assert (await client.get("/wait?timeout=0&mailbox=b")).json()["summary"]["id"] == "b 1"
        assert (await client.patch("/messages?mailbox=b")).json() == {"changed": 1}
        assert (await client.delete("/messages?mailbox=a")).json() == {"deleted": 2}
        assert (await client.delete("/mailboxes/b/c")).status_code == 204
        assert (await client.delete("/mailboxes/b/c")).status_code == 404
        assert (await client.delete(f"/mailboxes/{DEFAULT}")).status_code == 204
        assert counts(store) == {"b": (1, 0), "a": (0, 0), DEFAULT: (0, 0)}
        assert (await client.get("/messages?mailbox=")).status_code == 400
        assert (await client.get("/refusals?mailbox=a")).json() == {"refusals": [], "total": 0}


async def test_a_token_of_a_mailbox_reaches_nothing_else() -> None:
    store = Store()
    tokens = {"ci": TokenConfig(Secret(token_hash("rrpy_one")), "A")}
    async with asking(Mailbox(store), tokens=tokens) as client:
        client.headers["Authorization"] = "Bearer rrpy_one"
        add(store, "a 1", "b 1")
        assert (await client.get("/messages")).json()["total"] == 1
        assert (await client.get("/messages/latest")).json()["summary"]["id"] == "a 1"
        assert [each["name"] for each in (await client.get("/mailboxes")).json()["mailboxes"]] == ["a"]
        assert (await client.get("/info")).json()["mailbox"] == "a"
        assert (await client.get("/messages?search=mailbox:b")).json()["messages"] == []
        for route in ROUTES:
            path = route.path.format(id="b 1", number=1, uuid="u", name="b", rule=1)
            confined = "mailbox" in [each.name for each in route.parameters]
            if confined:
                other = await client.request(route.method, f"{path}?mailbox=b")
                assert (other.status_code, other.json()["detail"]) == (403, "the token is for the mailbox a alone"), (
                    route
                )
            if "{id}" in route.path and confined:
                assert (await client.request(route.method, path)).status_code == 404, route
            elif not confined and not route.of_all:
                assert (await client.request(route.method, path)).status_code == 403, route
        assert (await client.delete("/mailboxes/b")).status_code == 403
        assert json.loads((await client.get("/openapi.json")).content)["openapi"] == "3.1.0"
        assert counts(store)["b"] == (1, 1)
