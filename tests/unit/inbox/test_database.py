"""The file of an inbox: a full disk, a file that was removed, a table that is missing."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from support.container.disk import fill, small_disk
from support.inbox.stored import ids, kept, received

from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.store.database import StoreError, connect
from rrpy.inbox.store.store import Store

DISK = 10 * 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    with small_disk(tmp_path, DISK) as disk:
        yield disk


def free(disk: Path) -> int:
    """Return the bytes that are free."""
    return shutil.disk_usage(disk).free


def text(size: int) -> str:
    return os.urandom(size // 2).hex()


@pytest.mark.parametrize("size", [500, 20_000, 1_000_000])
@pytest.mark.parametrize("others", [False, True], ids=["filled by mail", "filled by others"])
def test_on_a_full_disk_each_message_can_be_deleted_and_its_room_is_free(size: int, others: bool, disk: Path) -> None:
    """Each deletion failed, and so did the deletion of all: the log had no room for the overwritten pages."""
    store = Store(str(disk / "inbox.db"))
    kept_ids: list[str] = []
    with pytest.raises(StoreError, match=r"failed: (database or disk is full|no space left on device)"):
        while True:
            name = str(len(kept_ids))
            kept(store, name, text(random.randrange(size // 2, size)))
            kept_ids.append(name)
            if others and free(disk) < DISK // 4:
                fill(disk)
    if others:
        fill(disk)
    assert ids(store, limit=100_000) == kept_ids[::-1], "a message that was refused is not there"
    random.shuffle(kept_ids)
    half = len(kept_ids) // 2
    before = free(disk)
    for name in kept_ids[:half]:
        assert store.delete(name).ids == [name]
    assert free(disk) > before + half * size // 3
    kept(store, "one more", text(size // 2))
    assert store.clear() == len(kept_ids) - half + 1
    assert free(disk) > DISK - 2_000_000 - ((disk / "other").stat().st_size if others else 0)
    store.close()
    assert sqlite3.connect(disk / "inbox.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_oldest_still_make_room_for_the_newest_on_a_full_disk(disk: Path) -> None:
    store = Store(str(disk / "inbox.db"), max_messages=50)
    for number in range(60):
        kept(store, str(number), text(20_000))
    store._database.give_back()
    fill(disk)
    for number in range(60, 90):
        # Smaller ones fill fewer pages, also where the summary of a message begins a new page
        assert kept(store, str(number), text(16_000)) == [str(number - 50)]
    store.close()


@pytest.mark.anyio
async def test_all_mail_that_waits_is_one_commit_which_waits_for_the_disk(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "inbox.db"))
    assert store._database.execute("PRAGMA synchronous").fetchone() == (2,), "FULL: a commit waits for the disk"
    assert store._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    statements: list[str] = []
    store._database._connection.set_trace_callback(statements.append)
    mailbox = Mailbox(store)
    async with anyio.create_task_group() as group:
        for number in range(30):
            group.start_soon(mailbox.add, received(str(number)))
    assert statements.count("COMMIT") == 1
    await mailbox.aclose()


def test_a_deleted_message_leaves_the_file_and_the_log_at_once(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "inbox.db"))
    for number in range(30):
        kept(store, str(number), f"s3cret-{number} " * 1000)
    for name in ("0", "29", "13"):
        store.delete(name)
        found = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert f"s3cret-{name} ".encode() not in found
        assert b"s3cret-7 " in found
    store.clear()
    assert b"s3cret" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert (tmp_path / "inbox.db").stat().st_size < 200_000
    store.close()


def test_steps_give_every_free_page_back(tmp_path: Path) -> None:
    """In Python 3.11 `PRAGMA incremental_vacuum` by `execute` and `fetchall` frees one page alone."""
    database = connect(str(tmp_path / "inbox.db"))
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("INSERT INTO contents VALUES (1, 1, ?)", (b"x" * 2_000_000,))
    database.execute("DELETE FROM contents")
    assert database.execute("PRAGMA freelist_count").fetchone()[0] > 400
    database._vacuum()
    assert database.execute("PRAGMA freelist_count").fetchone() == (0,)
    database.close()


@pytest.mark.parametrize("name", ["inbox.db", "inbox.db-wal"])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_removed_takes_no_mail(name: str, replaced: bool, tmp_path: Path) -> None:
    """The client got 250, and the message was gone with the host."""
    store = Store(str(tmp_path / "inbox.db"))
    kept(store, "1")
    (tmp_path / name).rename(tmp_path / "away")
    if replaced:
        shutil.copy(tmp_path / "away", tmp_path / name)
    for change in (lambda: kept(store, "2"), lambda: store.delete("1"), store.clear):
        with pytest.raises(
            StoreError, match=r"inbox.db was removed or replaced while the host runs; restart the host$"
        ):
            change()
    assert ids(store) == ["1"]
    (tmp_path / "away").rename(tmp_path / name)
    kept(store, "2")
    assert ids(store) == ["2", "1"]
    store.close()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DROP TABLE messages", "no such table: messages"),
        ("DROP TABLE details", "no such table: details"),
        ("DROP TABLE contents", "no such table: contents"),
        ("ALTER TABLE details DROP COLUMN words", "no such column: words"),
    ],
)
def test_a_file_without_a_table_is_one_sentence(statement: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    Store(str(path)).close()
    damaged = sqlite3.connect(path)
    damaged.execute(statement)
    damaged.close()
    with pytest.raises(StoreError, match=rf"^inbox.path .*inbox.db is damaged \({reason}\); name another file$"):
        Store(str(path))


def test_a_file_of_an_earlier_host_gives_its_free_pages_back(tmp_path: Path) -> None:
    path = tmp_path / "inbox.db"
    store = Store(str(path))
    kept(store, "1", "x" * 1_000_000)
    kept(store, "2")
    store.close()
    earlier = sqlite3.connect(path, isolation_level=None)
    earlier.execute("PRAGMA auto_vacuum = INCREMENTAL")
    earlier.execute("DELETE FROM contents WHERE number = 1")
    earlier.close()
    store = Store(str(path))
    assert store.delete("2").ids == ["2"]
    assert store._database.execute("PRAGMA freelist_count").fetchone() == (0,)
    store.close()
