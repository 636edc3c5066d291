"""Which parts of a path another user may replace: root's host must not be led elsewhere by them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.container.users import NOBODY, as_root, public_folder

from rrpy.container.ownership import replaceable_part


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
