"""Which parts of a path another user may replace: root's host must not be led elsewhere by them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.container.users import NOBODY, as_root, public_folder

from rrpy.container.errors import ConfigError
from rrpy.container.log import LogConfig, close, configure
from rrpy.container.ownership import open_own, replaceable_part
from rrpy.inbox.store.database import StoreError, connect


@pytest.fixture
def folder():
    with public_folder() as public:
        yield public


def test_a_way_through_folders_of_root_s_and_our_own_is_safe_also_where_it_does_not_exist_yet(folder):
    (folder / "file").touch()
    (folder / "link").symlink_to("/")
    for path in (folder, folder / "missing" / "deep", folder / "file" / "below", folder / "link" / "tmp", Path("/tmp")):
        assert replaceable_part(path) is None


def test_a_relative_path_is_seen_from_the_working_folder(folder, monkeypatch):
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    monkeypatch.chdir(folder)
    assert replaceable_part(Path("open/x")) == folder / "open"


@pytest.mark.parametrize(("mode", "safe"), [(0o775, False), (0o757, False), (0o1777, True), (0o755, True)])
def test_a_folder_that_others_can_write_is_safe_with_its_sticky_bit_only(folder, mode, safe):
    (folder / "x").mkdir()
    (folder / "x").chmod(mode)
    assert replaceable_part(folder / "x" / "y") == (None if safe else folder / "x")


@as_root
def test_what_another_user_owns_is_theirs_also_behind_a_link_and_beside_the_dots(folder):
    theirs, link = folder / "theirs", folder / "link"
    (theirs / "inner").mkdir(parents=True)
    os.chown(theirs, NOBODY, -1)
    link.symlink_to(theirs / "inner")
    assert replaceable_part(theirs / "inner") == theirs
    assert replaceable_part(link) == theirs
    assert replaceable_part(theirs / ".." / "x") == theirs
    os.chown(link, NOBODY, -1, follow_symlinks=False)
    assert replaceable_part(link / ".." / "x") == link


def test_a_link_of_one_s_own_is_followed_also_to_a_file_that_is_made_then(folder):
    (folder / "link").symlink_to(folder / "file")
    for word in ("one ", "two"):
        with open(folder / "link", "a", opener=open_own) as file:
            file.write(word)
    assert (folder / "file").read_text() == "one two"


@pytest.fixture
def theirs(folder):
    """A link of another user's, in a folder of theirs, to a file that root has not made yet."""
    link = folder / "theirs" / "link"
    link.parent.mkdir()
    link.symlink_to(folder / "keys")
    os.chown(link, NOBODY, -1, follow_symlinks=False)
    os.chown(link.parent, NOBODY, -1)
    return link


@as_root
def test_root_writes_no_log_through_a_link_of_another_user(theirs, folder):
    with pytest.raises(ConfigError, match="it is a link of another user, which root does not follow"):
        configure(LogConfig(output=str(theirs)))
    close()
    assert not (folder / "keys").exists()


@as_root
def test_root_keeps_no_inbox_through_a_link_of_another_user(theirs, folder):
    with pytest.raises(StoreError, match="it is a link of another user, which root does not follow"):
        connect(str(theirs))
    assert not (folder / "keys").exists()
