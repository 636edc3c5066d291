"""Attachments as files: made, kept for their time, removed; what is left by a dead host, and what is not ours."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from support.container.clock import TurnedLoop, run
from support.container.disk import room_for
from support.log import Log

from rrpy.smtp_plugin.delivery.files import Storage, StorageError
from rrpy.smtp_plugin.delivery.folder import MARK


class Part:
    """An attachment, as far as it matters here."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def content(self) -> bytes:
        return self._content


class Unreadable(Part):
    def content(self) -> bytes:
        raise OSError(28, "No space left on device")


def written(storage: Storage, name: str, parts: list) -> list[Path]:
    paths: list[Path] = []
    storage.write(name, parts, paths)
    return paths


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def storage(tmp_path, log):
    storage = Storage(str(tmp_path / "mails"), 3600, log)
    storage.open()
    yield storage
    storage.close()


def test_a_file_has_a_name_of_ours_and_is_ours_alone(storage):
    paths = written(storage, "id-1", [Part(b"one"), Part(b"\0two"), Part(b"")])
    assert [path.name for path in paths] == ["id-1-1", "id-1-2", "id-1-3"]
    assert [path.read_bytes() for path in paths] == [b"one", b"\0two", b""]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert storage.folder.stat().st_mode & 0o777 == 0o700
    assert all(path.is_absolute() for path in paths)


def test_the_end_removes_everything_of_this_host(storage):
    written(storage, "id-1", [Part(b"one")])
    (storage.folder / "of-a-worker").mkdir()
    (storage.folder / "of-a-worker" / "file").touch()
    storage.close()
    assert not storage.folder.exists()
    assert storage.folder.parent.exists()


def test_a_write_that_fails_leaves_nothing_over(storage):
    with pytest.raises(OSError, match="No space left"):
        written(storage, "id-1", [Part(b"one"), Unreadable(b"")])
    assert names(storage.folder) == {MARK}


def test_a_file_that_the_disk_takes_only_a_part_of_leaves_nothing_over(storage):
    with room_for(100_000), pytest.raises(OSError, match="File too large") as caught:
        written(storage, "id-1", [Part(b"one"), Part(bytes(1_000_000))])
    assert caught.value.errno == errno.EFBIG
    assert names(storage.folder) == {MARK}
    assert written(storage, "id-2", [Part(bytes(1_000_000))])[0].stat().st_size == 1_000_000


def test_files_go_when_their_time_is_over_and_not_before(storage):
    async def test(loop: TurnedLoop) -> None:
        (first,) = written(storage, "first", [Part(b"1")])
        storage.remove_later([first])
        await turned(loop, 1800)
        (second,) = written(storage, "second", [Part(b"2")])
        (third,) = written(storage, "third", [Part(b"3")])
        storage.remove_later([second])
        storage.remove_later([third])
        second.unlink()  # a worker may do so itself
        await turned(loop, 1700)
        assert first.exists()
        await turned(loop, 200)
        assert (first.exists(), third.exists()) == (False, True)
        await turned(loop, 1800)
        assert names(storage.folder) == {MARK}
        (fourth,) = written(storage, "fourth", [Part(b"4")])
        storage.remove_later([fourth])
        await turned(loop, 3601)
        assert not fourth.exists()

    run(test)


async def turned(loop: TurnedLoop, seconds: float) -> None:
    """Set the clock forward, and let what is due then run."""
    loop.turn(seconds)
    for _ in range(5):
        await asyncio.sleep(0)


def test_the_files_of_many_messages_that_go_together_take_a_turn_of_the_loop_for_each_message(storage):
    async def test(loop: TurnedLoop) -> None:
        for number in range(20):
            storage.remove_later(written(storage, f"id-{number}", [Part(b"1"), Part(b"2")]))
        loop.turn(3601)
        left = []
        while len(names(storage.folder)) > 1:
            left.append(len(names(storage.folder)) - 1)
            await asyncio.sleep(0)
        assert {before - after for before, after in pairwise(left)} <= {0, 2}
        assert len(left) >= 20

    run(test)


# What other hosts and people have in the same folder.

HOST = """
import sys
from rrpy.smtp_plugin.delivery.files import Storage
from support.log import Log
storage = Storage(sys.argv[1], 3600, Log())
storage.open()
(storage.folder / "left").touch()
print(storage.folder, flush=True)
sys.stdin.read()
"""


@contextmanager
def hosts(temp_dir: Path, count: int):
    """Other hosts with this folder, as processes; each with its own folder."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HOST, str(temp_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )
        for _ in range(count)
    ]
    try:
        folders = [process.stdout.readline().decode().strip() for process in processes]
        assert all(folders), "a host did not start"
        yield list(zip(processes, map(Path, folders), strict=True))
    finally:
        for process in processes:
            with process:
                process.kill()


def start(temp_dir: Path) -> Log:
    """Start a host with this folder, and end it; return its log."""
    log = Log()
    storage = Storage(str(temp_dir), 3600, log)
    storage.open()
    storage.close()
    return log


def test_what_a_dead_host_left_is_removed_and_a_living_one_s_is_not(tmp_path):
    with hosts(tmp_path, 2) as [(process, dead), (_, living)]:
        process.kill()
        process.wait()
        log = start(tmp_path)
        assert not dead.exists()
        assert (living / "left").exists()
        assert log.keys("attachments of a dead host were removed") == [{"folder": str(dead)}]


def test_a_living_host_keeps_its_folder_also_when_a_cleaner_has_removed_the_files_in_it(tmp_path):
    with hosts(tmp_path, 1) as [(_, living)]:
        for path in living.iterdir():
            path.unlink()
        start(tmp_path)
        assert living.exists()


def test_folders_links_and_pipes_of_others_stay_whatever_their_names(tmp_path):
    temp_dir, elsewhere = tmp_path / "shared", tmp_path / "elsewhere"
    for folder in (temp_dir / "host-backup", temp_dir / "host-empty", elsewhere):
        folder.mkdir(parents=True)
    (temp_dir / "host-backup" / "precious").write_text("mine")
    (temp_dir / "host-backup" / "lock").touch()
    (elsewhere / "precious").write_text("mine")
    (elsewhere / MARK).touch()
    (temp_dir / "host-link").symlink_to(elsewhere)
    (temp_dir / "host-marked-by-a-link").mkdir()
    (temp_dir / "host-marked-by-a-link" / MARK).symlink_to(elsewhere / MARK)
    os.mkfifo(temp_dir / "host-pipe")
    (temp_dir / "host-file").touch()
    before = names(temp_dir)
    assert start(temp_dir).lines == []
    assert names(temp_dir) == before
    assert (temp_dir / "host-backup" / "precious").read_text() == (elsewhere / "precious").read_text() == "mine"


def test_a_lock_that_another_process_holds_on_temp_dir_does_not_hold_up_a_start(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        start(tmp_path)
    finally:
        os.close(descriptor)


def test_hosts_that_start_together_leave_each_other_s_folder_alone(tmp_path):
    storages = [Storage(str(tmp_path), 3600, Log()) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(Storage.open, storages))
    assert all((storage.folder / MARK).exists() for storage in storages)
    for storage in storages:
        storage.close()
    assert list(tmp_path.iterdir()) == []


# While the host runs.


@pytest.mark.parametrize("lost", ["folder", "temp_dir"])
def test_a_folder_that_is_removed_while_the_host_runs_is_made_anew(storage, log, lost):
    old = written(storage, "id-1", [Part(b"one")])
    shutil.rmtree(storage.folder if lost == "folder" else storage.folder.parent)
    (path,) = written(storage, "id-2", [Part(b"two")])
    assert path.read_bytes() == b"two"
    assert log.keys("the folder of attachments was removed, a new one is made") == [{"folder": str(path.parent)}]
    start(storage.folder.parent)
    assert path.exists(), "the new one has its lock"
    storage.remove(old)
    storage.close()
    assert not path.parent.exists()


def test_a_folder_that_is_moved_or_replaced_while_the_host_runs_is_made_anew_and_its_files_go(storage, tmp_path):
    written(storage, "id-1", [Part(b"one")])
    moved = storage.folder.rename(tmp_path / "moved")
    storage.folder.symlink_to(moved)
    (path,) = written(storage, "id-2", [Part(b"two")])
    assert path.parent != moved
    assert path.parent.resolve() != moved
    assert names(moved) == set()


def test_a_mark_that_is_removed_while_the_host_runs_is_set_again(tmp_path):
    storage = Storage(str(tmp_path), 3600, Log())
    storage.open()
    (storage.folder / MARK).unlink()
    written(storage, "id", [Part(b"x")])
    assert names(storage.folder) == {MARK, "id-1"}
    storage.close()


def test_a_folder_that_cannot_be_made_anew_is_an_error_until_it_can(storage):
    common = storage.folder.parent
    shutil.rmtree(common)
    common.touch()
    for _ in range(2):
        with pytest.raises(OSError, match="Not a directory"):
            written(storage, "id", [Part(b"x")])
    common.unlink()
    assert written(storage, "id", [Part(b"x")])[0].exists()


class Closing(Part):
    """Closes the storage while its content is asked for, as the end of a host does."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def content(self) -> bytes:
        self._storage.close()
        return b"late"


def test_what_is_written_when_the_host_ends_goes_with_it(storage):
    with pytest.raises(OSError, match=r"the host is stopping|No such file"):
        written(storage, "id", [Part(b"one"), Closing(storage), Part(b"three")])
    assert not storage.folder.exists()
    with pytest.raises(OSError, match="the host is stopping"):
        written(storage, "id", [Part(b"one")])


def test_what_cannot_be_removed_is_told_and_no_error(storage, log):
    (path,) = written(storage, "id", [Part(b"x")])
    path.unlink()
    path.mkdir()
    storage.remove([path])
    assert log.keys("an attachment cannot be removed")[0]["path"] == str(path)


# The common folder.


def test_the_folder_of_our_own_choice_is_private_and_nobody_else_s(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    storage = Storage(None, 3600, Log())
    storage.open()
    common = storage.folder.parent
    assert common == tmp_path / f"rrpy-{os.geteuid()}"
    assert common.stat().st_mode & 0o777 == 0o700
    storage.close()
    common.chmod(0o755)
    with pytest.raises(StorageError, match=r"not a folder of this user alone; set attachment_storage\.temp_dir"):
        Storage(None, 3600, Log()).open()
    common.rmdir()
    common.symlink_to(tmp_path)
    with pytest.raises(StorageError, match="not a folder of this user alone"):
        Storage(None, 3600, Log()).open()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"^smtp\.attachment_storage: .*file cannot be used for attachments: "):
        Storage(str(tmp_path / "file"), 3600, Log()).open()
