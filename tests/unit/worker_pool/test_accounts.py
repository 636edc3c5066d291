"""Which system user `server.user` means."""

from __future__ import annotations

import getpass
import grp
import os
import pwd

import pytest

from rrpy.container.errors import ConfigError
from rrpy.worker_pool.accounts import Account, find_account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
FREE = next(uid for uid in range(54321, 65000) if uid not in {each.pw_uid for each in pwd.getpwall()})
"""The number of no user."""


@pytest.mark.parametrize("user", ["nobody-of-that-name", "4294967295", "-1", "\u0661", ":", ":nogroup", " ", "a\0b"])
def test_a_user_that_does_not_exist_is_refused(user):
    with pytest.raises(ConfigError, match="there is no such system user"):
        find_account(user)


def test_a_group_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"server\.user is .*; there is no system group 'no-group-of-that-name'"):
        find_account(f"{getpass.getuser()}:no-group-of-that-name")


def test_a_number_without_a_user_needs_a_group():
    with pytest.raises(ConfigError, match=f"no system user has this number, so name a group too: {FREE}:{FREE}"):
        find_account(FREE)


def test_the_host_s_own_user_needs_no_change():
    group = grp.getgrgid(os.getegid()).gr_name
    own = getpass.getuser()
    uid = os.geteuid()
    for user in ("", own, f"{own}:", uid, str(uid), f"{uid}:{os.getegid()}", f"{own}:{group}"):
        assert find_account(user) is None


@as_root
def test_a_user_is_found_by_its_name_and_by_its_number_with_its_home():
    entry = pwd.getpwnam("nobody")
    account = Account("nobody", entry.pw_uid, entry.pw_gid, entry.pw_dir)
    assert [find_account(user) for user in ("nobody", entry.pw_uid, str(entry.pw_uid), "nobody:")] == [account] * 4
    assert account.variables == {"HOME": entry.pw_dir, "USER": "nobody", "LOGNAME": "nobody"}


@as_root
def test_a_group_after_a_colon_is_the_group():
    daemon = grp.getgrnam("daemon").gr_gid
    uid = pwd.getpwnam("nobody").pw_uid
    for user in ("nobody:daemon", f"{uid}:{daemon}", f"nobody:{daemon}"):
        account = find_account(user)
        assert account is not None
        assert (account.uid, account.gid, account.known) == (uid, daemon, True)
    root = find_account("root:daemon")
    assert root is not None
    assert (root.uid, root.gid) == (0, daemon)


@as_root
def test_a_number_without_a_user_has_no_home():
    account = Account(str(FREE), FREE, 54321, "/", known=False)
    assert find_account(f"{FREE}:54321") == account
    assert account.variables == {"HOME": "/", "USER": str(FREE), "LOGNAME": str(FREE)}


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a host that is not root")
def test_only_root_may_choose_a_user():
    for user in ("root", 0, f"{FREE}:{FREE}"):
        with pytest.raises(ConfigError, match="only a host that runs as root"):
            find_account(user)
