"""The index of a search: it never hides a message, and it spares the reading of most."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.inbox.stored import ids, kept, received, without_mailboxes
from support.waiting import until

from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.records import record_of
from rrpy.inbox.store import index as module
from rrpy.inbox.store import store as stores
from rrpy.inbox.store.index import BLOCK, Index
from rrpy.inbox.store.query import Query
from rrpy.inbox.store.store import Store

WORDS = st.text(alphabet="abcdé \n", max_size=30)


def read(index: Index, words: Sequence[str], count: int) -> set[int]:
    return {number for low, high in index.ranges(words, 1, count + 1) for number in range(low, high)}


def fill(index: Index, texts: Sequence[str], piece: int = BLOCK) -> None:
    """Index the complete blocks of messages that have the numbers from 1 on. `piece`: messages at a time."""
    while (missing := index.missing(1, len(texts))) is not None:
        first, end = missing
        end = min(end, first + piece)
        index.add(texts[max(0, first - 1) : end - 1], end)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=12), st.text(alphabet="abcdé", min_size=1, max_size=6), st.booleans())
def test_a_message_with_the_word_is_always_read(texts: list[str], word: str, again: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 3)
        index = Index({})
        fill(index, texts, piece=2)
        if again:  # from a file
            index = Index(index.unsaved)
        wanted = {number for number, text in enumerate(texts, 1) if word in text}
        assert wanted <= read(index, [word], len(texts))


def test_blocks_without_a_word_are_not_read() -> None:
    index = Index({})
    texts = [
        f"order number{number % 7} " + ("needle" if number == 3 * BLOCK else "") for number in range(1, 10 * BLOCK)
    ]
    fill(index, texts)
    assert read(index, ["eedl"], len(texts)) == set(range(3 * BLOCK, 4 * BLOCK))
    assert read(index, ["rder", "eedl"], len(texts)) == set(range(3 * BLOCK, 4 * BLOCK))
    assert read(index, ["xyzzy"], len(texts)) == set()
    assert len(read(index, ["or"], len(texts))) == len(texts), "two letters are no run"
    assert read(index, ["鹿"], len(texts)) == set(), "one letter of three bytes is a run"


def test_a_block_is_indexed_once_it_is_complete() -> None:
    index = Index({})
    assert index.missing(1, BLOCK - 2) is None
    assert index.missing(1, BLOCK - 1) == (0, BLOCK)
    index.add(["straw"], 5)
    assert index.missing(1, BLOCK - 1) == (5, BLOCK)
    index.add(["more straw"], BLOCK)
    assert index.missing(1, BLOCK - 1) is None
    assert index.missing(5 * BLOCK + 7, 6 * BLOCK) == (5 * BLOCK, 6 * BLOCK), "no block of deleted messages"
    assert read(index, ["needle"], 2 * BLOCK) == set(range(BLOCK, 2 * BLOCK + 1))


def kept_and_indexed(store: Store, count: int, name: Callable[[int], str]) -> None:
    store.add(*(record_of(received(name(number))) for number in range(count)))
    while store.index():
        pass


def test_the_index_is_in_the_file_and_that_of_an_older_file_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "INDEXED_FROM", 0)
    path = tmp_path / "inbox.db"
    store = Store(str(path))
    kept_and_indexed(store, 2 * BLOCK, lambda number: f"{'needle' if number == 5 else 'straw'}{number}")
    store.close()
    store = Store(str(path))
    assert ids(store, search="eedle5") == ["needle5"]
    assert set(store._index.ranges(["eedle5"], 1, 2 * BLOCK + 1)) == {(1, BLOCK), (2 * BLOCK, 2 * BLOCK + 1)}
    store.close()

    older = sqlite3.connect(path)
    older.execute("CREATE TABLE blocks (number INTEGER PRIMARY KEY, runs BLOB NOT NULL)")
    older.execute("INSERT INTO blocks VALUES (0, x'00')")
    older.execute("DROP TABLE bitmaps")
    without_mailboxes(older)
    older.execute("PRAGMA user_version = 3")
    older.commit()
    older.close()
    store = Store(str(path))
    assert store.total == 2 * BLOCK
    assert ids(store, search="eedle5") == ["needle5"]
    kept_and_indexed(store, 1, lambda _: "new needle5")
    assert ids(store, search="eedle5") == ["new needle5", "needle5"]
    assert (BLOCK, 2 * BLOCK) not in set(store._index.ranges(["eedle5"], 1, 2 * BLOCK + 1))
    store.close()


def test_evicted_and_cleared_messages_leave_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "INDEXED_FROM", 0)
    path = tmp_path / "inbox.db"
    store = Store(str(path), max_messages=BLOCK + 10)
    for _ in range(3):
        kept_and_indexed(store, BLOCK, lambda number, start=store.total: f"subject{store.total}-{number}-{start}")
    store.close()
    database = sqlite3.connect(path)
    assert [number for (number,) in database.execute("SELECT block FROM bitmaps")] == [1, 2]
    database.close()
    store = Store(str(path))
    assert len(ids(store, search=f"{BLOCK - 1}-", limit=500)) == 2
    store.clear()
    assert not store.index()
    kept(store, "after")
    assert ids(store, search="fter") == ["after"]
    store.close()


def test_an_inbox_is_indexed_once_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first messages of a large inbox were never in the index: each search has read them."""
    monkeypatch.setattr(stores, "INDEXED_FROM", 2 * BLOCK)
    store = Store()
    kept_and_indexed(store, 2 * BLOCK - 1, lambda number: f"straw{number}")
    assert len(list(store._index.ranges(["needle"], 1, 2 * BLOCK))) == 2
    kept_and_indexed(store, 1, lambda _: "more straw")
    assert list(store._index.ranges(["needle"], 1, 2 * BLOCK + 1)) == [(2 * BLOCK, 2 * BLOCK + 1)]
    store.close()


def test_a_search_that_finds_nothing_reads_no_indexed_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "INDEXED_FROM", 0)
    store = Store()
    kept_and_indexed(store, 3 * BLOCK, lambda number: f"straw{number}")
    read: list[int] = []
    fits = Query.fits
    monkeypatch.setattr(Query, "fits", lambda query, message: read.append(message.number) or fits(query, message))
    assert ids(store, search="needle") == []
    assert read == [3 * BLOCK]
    store.close()


def test_large_messages_are_indexed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of the largest ones took two seconds, for which mail waited."""
    monkeypatch.setattr(stores, "INDEXED_FROM", 0)
    monkeypatch.setattr(stores, "PIECE", 1000)
    store = Store()
    store.add(*(record_of(received(f"straw{number}", "x" * 600)) for number in range(BLOCK)))
    pieces = 0
    while store.index():
        pieces += 1
    assert pieces == BLOCK // 2
    assert list(store._index.ranges(["needle"], 1, BLOCK + 1)) == [(BLOCK, BLOCK + 1)]
    assert len(ids(store, search=f"traw{BLOCK - 2}", limit=BLOCK)) == 1
    store.close()


@pytest.mark.anyio
async def test_messages_are_indexed_after_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "INDEXED_FROM", 0)
    monkeypatch.setattr(module, "BLOCK", 2)
    store = Store()
    mailbox = Mailbox(store)
    for number in range(5):
        await mailbox.add(received(f"straw{number}"))
    await until(lambda: not list(store._index.ranges(["needle"], 1, 6)))
    await mailbox.aclose()
