"""The index of a search: it never hides a message, and it spares the reading of most."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.inbox.stored import ids, kept

from rrpy.inbox.store import index as module
from rrpy.inbox.store import store as stores
from rrpy.inbox.store.index import BLOCK, Index
from rrpy.inbox.store.store import Store

WORDS = st.text(alphabet="abcdé \n", max_size=30)


def read(index: Index, words: Sequence[str], count: int) -> set[int]:
    return {number for low, high in index.ranges(words, 1, count + 1) for number in range(low, high)}


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=12), st.text(alphabet="abcdé", min_size=1, max_size=6), st.booleans())
def test_a_message_with_the_word_is_always_read(texts: list[str], word: str, again: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 3)
        index = Index({})
        for number, text in enumerate(texts, 1):
            index.add(number, text)
        if again:  # from a file: the complete blocks, and the messages of the last one
            first = len(texts) // 3 * 3
            index = Index(index.complete)
            index.resume([(number, text) for number, text in enumerate(texts, 1) if number >= first])
        wanted = {number for number, text in enumerate(texts, 1) if word in text}
        assert wanted <= read(index, [word], len(texts))


def test_blocks_without_a_word_are_not_read() -> None:
    index = Index({})
    for number in range(10 * BLOCK):
        index.add(number, f"order number{number % 7} " + ("needle" if number == 3 * BLOCK else ""))
    assert read(index, ["eedl"], 10 * BLOCK - 1) == set(range(3 * BLOCK, 4 * BLOCK))
    assert read(index, ["rder", "eedl"], 10 * BLOCK - 1) == set(range(3 * BLOCK, 4 * BLOCK))
    assert read(index, ["xyzzy"], 10 * BLOCK - 1) == set()
    assert len(read(index, ["or"], 10 * BLOCK - 1)) == 10 * BLOCK - 1, "two letters are no run"


def test_a_number_that_comes_again_has_both_words() -> None:
    """A transaction that failed gives its numbers to the next messages."""
    index = Index({})
    for number in range(2 * BLOCK):
        index.add(number, "first")
    index.add(2 * BLOCK, "lost")
    for number in (2 * BLOCK - 1, 2 * BLOCK):
        index.add(number, "second")
    assert read(index, ["first"], 2 * BLOCK) >= {2 * BLOCK - 1}
    assert read(index, ["second"], 2 * BLOCK) >= {2 * BLOCK - 1, 2 * BLOCK}


def test_a_block_that_begins_in_its_middle_has_no_bitmap() -> None:
    index = Index({})
    for number in range(BLOCK // 2, 2 * BLOCK):
        index.add(number, "straw")
    assert read(index, ["needle"], 2 * BLOCK - 1) == set(range(1, BLOCK))


def test_the_index_is_in_the_file_and_an_older_file_is_searched_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "INDEXED_FROM", 0)
    path = tmp_path / "inbox.db"
    store = Store(str(path))
    for number in range(2 * BLOCK):
        kept(store, f"{'needle' if number == 5 else 'straw'}{number}")
    store.close()
    store = Store(str(path))
    assert ids(store, search="eedle5") == ["needle5"]
    assert set(store._index.ranges(["eedle5"], 1, 2 * BLOCK + 1)) == {(1, BLOCK)}
    store.close()

    older = sqlite3.connect(path)
    older.execute("DROP TABLE blocks")
    older.execute("PRAGMA user_version = 1")
    older.close()
    store = Store(str(path))
    assert ids(store, search="eedle5") == ["needle5"]
    kept(store, "new needle5")
    assert ids(store, search="eedle5") == ["new needle5", "needle5"]
    store.close()


def test_evicted_and_cleared_messages_leave_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "INDEXED_FROM", 0)
    path = tmp_path / "inbox.db"
    store = Store(str(path), max_messages=10)
    for number in range(3 * BLOCK):
        kept(store, f"subject{number}")
    store.close()
    database = sqlite3.connect(path)
    assert [number for (number,) in database.execute("SELECT number FROM blocks")] == [2]
    database.close()
    store = Store(str(path))
    assert ids(store, search=f"ject{3 * BLOCK - 1}") == [f"subject{3 * BLOCK - 1}"]
    assert ids(store, search="ject5") == []
    store.clear()
    kept(store, "after")
    assert ids(store, search="fter") == ["after"]
    store.close()


def test_a_block_is_indexed_to_its_end_though_messages_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "INDEXED_FROM", 2 * BLOCK)
    store = Store()
    for number in range(2 * BLOCK + BLOCK):
        kept(store, f"straw{number}")
    for number in range(2 * BLOCK):
        store.delete(f"straw{number}")
    kept(store, "needle")
    assert ids(store, search="eedl") == ["needle"]
    store.close()
