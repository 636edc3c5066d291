"""Who may connect to a unix socket's file."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
from pathlib import Path

import pytest
from support.container.users import NOBODY, as_root, public_folder, try_as_nobody

from rrpy.container.net.access import SocketAccess, group_id, user_id
from rrpy.container.net.listening import BoundSockets, listen_addresses
from rrpy.container.net.sockets import ListenError

KEY = "rpc.listen"


def access_of(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


def bound(path: Path, access: SocketAccess) -> BoundSockets:
    sockets = BoundSockets(listen_addresses(f"unix://{path}", KEY))
    try:
        sockets.give(access, KEY)
    except BaseException:
        sockets.close()
        raise
    return sockets


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_file_gets_the_mode_and_keeps_the_owner(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "s"
    sockets = bound(path, SocketAccess(mode, os.geteuid()))
    assert access_of(path) == (mode, os.geteuid(), os.getegid())
    sockets.close()
    assert not path.exists()


@as_root
def test_root_gives_the_file_to_another_user_and_group() -> None:
    with public_folder() as folder:
        for name, access in (("a", SocketAccess(0o600, NOBODY)), ("b", SocketAccess(0o660, gid=NOBODY))):
            sockets = bound(folder / name, access)
            assert try_as_nobody(f"socket.socket(socket.AF_UNIX).connect({str(folder / name)!r})") == ["done"]
            sockets.close()
            assert not (folder / name).exists()
        sockets = bound(folder / "c", SocketAccess(0o660))
        assert try_as_nobody(f"socket.socket(socket.AF_UNIX).connect({str(folder / 'c')!r})") != ["done"]
        sockets.close()


@as_root
@pytest.mark.parametrize("access", [SocketAccess(0o600, NOBODY), SocketAccess(0o666)])
def test_root_gives_nothing_away_in_a_folder_that_another_user_can_change(access: SocketAccess) -> None:
    with public_folder() as folder:
        theirs = folder / "theirs"
        theirs.mkdir()
        os.chown(theirs, NOBODY, NOBODY)
        with pytest.raises(ListenError, match=rf"\(rpc\.listen\): users other than root can change {theirs}; name a"):
            bound(theirs / "s", access)
        assert not (theirs / "s").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a host that is not root")
def test_a_host_that_is_not_root_cannot_give_the_file_away(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match=r"\(rpc\.listen\): operation not permitted$"):
        bound(tmp_path / "s", SocketAccess(0o600, os.geteuid() + 1))


def test_tcp_has_no_file() -> None:
    sockets = BoundSockets(listen_addresses("127.0.0.1:0", KEY))
    sockets.give(SocketAccess(0o666, 1, 1), KEY)
    assert sockets.sockets[0].socket.family == socket.AF_INET
    sockets.close()


def test_a_user_and_a_group_are_a_name_or_a_number() -> None:
    user, group = pwd.getpwuid(0), grp.getgrgid(0)
    assert user_id(user.pw_name) == user_id("0") == 0
    assert group_id(group.gr_name) == group_id("0") == 0
    assert user_id("4242") == group_id("4242") == 4242
    for unknown in ("no such user", "-1", "4294967295", "9" * 5000, "\0"):
        with pytest.raises(ValueError, match="there is no such system user"):
            user_id(unknown)
    with pytest.raises(ValueError, match="there is no such system group"):
        group_id("no such group")
