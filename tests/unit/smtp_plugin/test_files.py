from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.log import Log
from support.waiting import until

from rrpy.smtp_plugin.delivery.files import Storage, StorageError


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


@pytest.fixture
def storage(tmp_path):
    storage = Storage(str(tmp_path / "mails"), 3600, Log())
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
    storage.close()
    assert not storage.folder.exists()
    assert storage.folder.parent.exists()


def test_a_write_that_fails_leaves_nothing_behind(storage):
    with pytest.raises(OSError, match="No space left"):
        written(storage, "id-1", [Part(b"one"), Unreadable(b"")])
    assert [path.name for path in storage.folder.iterdir()] == ["lock"]


@pytest.mark.anyio
async def test_files_go_when_their_time_is_over_and_not_before(tmp_path):
    storage = Storage(str(tmp_path), 0.2, Log())
    storage.open()
    try:
        first = written(storage, "first", [Part(b"1")])
        storage.remove_later(first)
        await asyncio.sleep(0.05)
        second = written(storage, "second", [Part(b"2")])
        storage.remove_later(second)
        second[0].unlink()  # a worker may do so itself
        assert first[0].exists()
        await until(lambda: not first[0].exists())
        await until(lambda: storage._timer is None)
    finally:
        storage.close()


HOST = """
import sys
from support.log import Log
from rrpy.smtp_plugin.delivery.files import Storage
storage = Storage(sys.argv[1], 3600, Log())
storage.open()
(storage.folder / "left").touch()
print(storage.folder, flush=True)
sys.stdin.read()
"""


def test_what_a_dead_host_left_is_removed_and_a_living_one_s_is_not(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    hosts = [
        subprocess.Popen(
            [sys.executable, "-c", HOST, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )
        for _ in range(2)
    ]
    try:
        dead, living = (Path(host.stdout.readline().decode().strip()) for host in hosts)
        hosts[0].kill()
        hosts[0].wait()
        (tmp_path / "host-that-died-at-its-end").mkdir()
        log = Log()
        storage = Storage(str(tmp_path), 3600, log)
        storage.open()
        assert not dead.exists()
        assert (living / "left").exists()
        assert not (tmp_path / "host-that-died-at-its-end").exists()
        assert log.keys("attachments of a dead host were removed") == [{"folder": str(dead)}]
        storage.close()
    finally:
        for host in hosts:
            with host:
                host.kill()


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


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_where_workers_run_as_another_user_folders_and_files_are_theirs(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    storage = Storage(None, 3600, Log(), uid=65534)
    storage.open()
    (path,) = written(storage, "id", [Part(b"x")])
    assert {each.stat().st_uid for each in (path, storage.folder, storage.folder.parent)} == {65534}
    assert storage.folder.parent.name == "rrpy-65534"
    storage.close()
    again = Storage(None, 3600, Log(), uid=65534)
    again.open()
    again.close()


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


def test_hosts_that_start_together_leave_each_other_s_folder_alone(tmp_path):
    storages = [Storage(str(tmp_path), 3600, Log()) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(Storage.open, storages))
    assert all((storage.folder / "lock").exists() for storage in storages)
    for storage in storages:
        storage.close()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_removed_is_told_and_no_error(storage):
    (path,) = written(storage, "id", [Part(b"x")])
    path.unlink()
    path.mkdir()
    storage.remove([path])
    assert storage._log.keys("an attachment cannot be removed")[0]["path"] == str(path)
