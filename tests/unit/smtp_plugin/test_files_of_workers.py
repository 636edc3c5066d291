"""Attachments as files where root's host runs workers as another user, and that user is hostile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.container.users import NOBODY, as_root, public_folder, try_as_nobody
from support.log import Log

from rrpy.smtp_plugin.delivery.files import Storage, StorageError
from rrpy.smtp_plugin.delivery.folder import MARK

pytestmark = as_root


class Part:
    """An attachment, and what the worker's user does while its content is decoded."""

    def __init__(self, content: bytes, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._content = content
        self._meanwhile = meanwhile

    def content(self) -> bytes:
        self._meanwhile()
        return self._content


@pytest.fixture
def folder(monkeypatch):
    """A folder like `/tmp`, where the system's is asked for; beside it root's `secret` and `etc`."""
    with public_folder() as public:
        (public / "secret").write_text("root's")
        (public / "secret").chmod(0o600)
        (public / "etc").mkdir(0o700)
        (public / "tmp").mkdir()
        (public / "tmp").chmod(0o1777)
        monkeypatch.setattr("tempfile.tempdir", str(public / "tmp"))
        yield public


@pytest.fixture
def storage(folder):
    storage = Storage(None, 3600, Log(), uid=NOBODY)
    storage.open()
    yield storage
    storage.close()


def test_the_worker_s_user_can_read_its_file_and_change_nothing_else(storage, folder):
    paths: list[Path] = []
    storage.write("id", [Part(b"hello")], paths)
    (path,) = paths
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (NOBODY, 0o600)
    assert {each.stat().st_uid for each in (storage.folder, storage.folder.parent)} == {os.geteuid()}
    read, *refused = try_as_nobody(
        f"Path({str(path)!r}).read_text()",
        f"os.listdir({str(path.parent)!r})",
        f"os.unlink({str(path)!r})",
        f"os.rename({str(path)!r}, {str(path) + '-2'!r})",
        f"os.symlink('/', {str(path.parent / 'id-2')!r})",
        f"os.mkdir({str(path.parent / 'id-2')!r})",
        f"os.rename({str(path.parent)!r}, {str(path.parent) + '-2'!r})",
        f"os.rename({str(path.parent.parent)!r}, {str(folder / 'tmp' / 'x')!r})",
        f"fcntl.flock(os.open({str(path.parent)!r}, os.O_RDONLY), fcntl.LOCK_EX)",
    )
    assert read == "hello"
    assert set(refused) == {"PermissionError"}


def test_a_worker_that_swaps_a_file_for_a_link_gets_no_file_of_root_s(storage, folder):
    def swap() -> None:
        for path in (storage.folder / "id-1", storage.folder / "id-2"):
            try_as_nobody(f"os.unlink({str(path)!r})", f"os.symlink({str(folder / 'secret')!r}, {str(path)!r})")

    storage.write("id", [Part(b"1", swap), Part(b"2", swap)], [])
    assert (folder / "secret").stat().st_uid == os.geteuid()


def test_a_worker_that_swaps_the_folder_for_a_link_makes_root_write_nowhere_else(storage, folder):
    def swap() -> None:
        for path in (storage.folder, storage.folder.parent):
            try_as_nobody(
                f"os.rename({str(path)!r}, {str(path) + '-moved'!r})",
                f"os.symlink({str(folder / 'etc')!r}, {str(path)!r})",
            )

    paths: list[Path] = []
    storage.write("id", [Part(b"1", swap), Part(b"2")], paths)
    assert [path.read_bytes() for path in paths] == [b"1", b"2"]
    assert list((folder / "etc").iterdir()) == []
    assert (folder / "etc").stat().st_uid == os.geteuid()


def test_a_folder_that_the_worker_s_user_has_made_before_is_not_used(folder):
    common = folder / "tmp" / f"rrpy-{os.geteuid()}"
    assert try_as_nobody(f"os.mkdir({str(common)!r}, 0o700)") == ["done"]
    with pytest.raises(StorageError, match=f"users other than root can change {common}"):
        Storage(None, 3600, Log(), uid=NOBODY).open()
    with pytest.raises(StorageError, match="not a folder of this user alone"):
        Storage(None, 3600, Log()).open()


@pytest.mark.parametrize("lead", ["its folder", "its link", "a link of root's"])
def test_a_temp_dir_that_another_user_can_swap_is_refused_before_anything_is_made(folder, lead):
    theirs, temp_dir = folder / "theirs", folder / "theirs" / "app" / "files"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    if lead == "its link":
        assert try_as_nobody(f"os.symlink({str(folder / 'etc')!r}, {str(folder / 'tmp' / 'link')!r})") == ["done"]
        theirs = folder / "tmp" / "link"
        temp_dir = theirs / "files"
    elif lead == "a link of root's":
        (folder / "link").symlink_to(theirs)
        temp_dir = folder / "link" / "files"
    with pytest.raises(StorageError, match=rf"users other than root can change {theirs}; name a folder that only root"):
        Storage(str(temp_dir), 3600, Log(), uid=NOBODY).open()
    assert list((folder / "etc").iterdir()) == []
    assert list((folder / "theirs").iterdir()) == []


def test_a_temp_dir_of_root_s_is_made_so_that_the_worker_s_user_gets_to_its_files(folder):
    before = os.umask(0o077)
    try:
        storage = Storage(str(folder / "files"), 3600, Log(), uid=NOBODY)
        storage.open()
    finally:
        os.umask(before)
    paths: list[Path] = []
    storage.write("id", [Part(b"hello")], paths)
    assert try_as_nobody(f"Path({str(paths[0])!r}).read_text()") == ["hello"]
    storage.close()


def test_a_host_of_root_s_with_workers_of_its_own_user_uses_the_same_folder(folder, storage):
    own = Storage(None, 3600, Log())
    own.open()
    assert own.folder.parent == storage.folder.parent
    assert own.folder.stat().st_mode & 0o777 == 0o700
    own.close()


def test_folders_of_another_user_are_not_removed_whatever_is_in_them(folder):
    theirs, link, victim = folder / "tmp" / "host-theirs", folder / "tmp" / "host-link", folder / "etc"
    (victim / MARK).touch()
    assert (
        try_as_nobody(
            f"os.mkdir({str(theirs)!r})",
            f"Path({str(theirs / MARK)!r}).touch()",
            f"os.symlink({str(victim)!r}, {str(link)!r})",
        )
        == ["done"] * 3
    )
    storage = Storage(str(folder / "tmp"), 3600, Log(), uid=NOBODY)
    storage.open()
    storage.close()
    assert (victim / MARK).exists()
    assert (theirs / MARK).exists()
