"""Listening: which addresses are loopback, and what becomes of a socket's file."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from rrpy.container.address import TCPAddress, UnixAddress, parse_address
from rrpy.container.sockets import BoundSocket, ListenError, is_loopback, pinned


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("tcp://127.0.0.1:1", True),
        ("tcp://127.9.9.9:1", True),
        ("tcp://localhost:1", True),
        ("tcp://[::1]:1", True),
        ("tcp://[::ffff:127.0.0.1]:1", True),
        ("unix:///tmp/x", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://[::]:1", False),
        ("tcp://192.0.2.1:1", False),
        ("tcp://[2001:db8::1]:1", False),
        ("tcp://[::ffff:192.0.2.1]:1", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(url: str, loopback: bool) -> None:
    assert is_loopback(pinned(parse_address(url))) is loopback


def test_a_name_becomes_the_number_that_is_bound() -> None:
    assert pinned(TCPAddress("localhost", 7)) == TCPAddress("127.0.0.1", 7)


@pytest.mark.parametrize("host", ["nobody.invalid", "a..b", "x" * 70])
def test_a_name_that_nobody_knows_is_an_error_that_names_it(host: str) -> None:
    with pytest.raises(ValueError, match=f"the host name '{host}' cannot be resolved: "):
        pinned(TCPAddress(host, 1))


def test_port_zero_becomes_a_real_one() -> None:
    listener = BoundSocket(TCPAddress("127.0.0.1", 0), owner="rpc")
    try:
        assert isinstance(listener.address, TCPAddress)
        assert listener.address.port > 0
    finally:
        listener.close()
        listener.close()


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenError) as raised:
            BoundSocket(TCPAddress("127.0.0.1", port), owner="rpc")
    assert str(raised.value) == f"rpc cannot listen on tcp://127.0.0.1:{port}: address already in use"


def test_an_address_of_another_machine_is_one_sentence() -> None:
    with pytest.raises(
        ListenError, match=r"^rpc cannot listen on tcp://192\.0\.2\.1:1: cannot assign requested address$"
    ):
        BoundSocket(TCPAddress("192.0.2.1", 1), owner="rpc")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def test_a_socket_file_is_private_and_goes_at_the_end(path: Path) -> None:
    before = os.umask(0)
    try:
        listener = BoundSocket(UnixAddress(str(path)), owner="rpc")
        try:
            mode = path.stat().st_mode
        finally:
            listener.close()
        assert os.umask(0) == 0, "the umask is as it was"
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert not path.exists()
    listener.close()


def leave_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()


def test_a_stale_socket_file_is_replaced(path: Path) -> None:
    leave_stale(path)
    listener = BoundSocket(UnixAddress(str(path)), owner="rpc")
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    finally:
        listener.close()


@pytest.mark.parametrize("queue", ["free", "full"])
def test_a_living_socket_file_is_never_taken(path: Path, queue: str) -> None:
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen(0)
        waiting = []
        if queue == "full":
            while True:
                client = socket.socket(socket.AF_UNIX)
                client.setblocking(False)
                waiting.append(client)
                if client.connect_ex(str(path)):
                    break
        try:
            with pytest.raises(
                ListenError, match=f"^rpc cannot listen on unix://{path}: another process is listening there$"
            ):
                BoundSocket(UnixAddress(str(path)), owner="rpc")
        finally:
            for client in waiting:
                client.close()
        assert path.exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_file_that_is_no_socket_is_never_taken(path: Path, kind: str) -> None:
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(ListenError, match="there is a file of that name which is not a socket"):
        BoundSocket(UnixAddress(str(path)), owner="rpc")
    assert path.is_symlink() or path.exists()


def test_a_socket_of_another_kind_is_never_taken(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(ListenError, match="protocol wrong type for socket"):
            BoundSocket(UnixAddress(str(path)), owner="rpc")
    assert path.exists()


@pytest.mark.parametrize(
    ("place", "reason"), [("missing/s", "no such file or directory"), ("x" * 120, "AF_UNIX path too long")]
)
def test_a_path_that_cannot_be_bound_is_one_sentence(tmp_path: Path, place: str, reason: str) -> None:
    with pytest.raises(ListenError) as raised:
        BoundSocket(UnixAddress(str(tmp_path / place)), owner="rpc")
    assert str(raised.value) == f"rpc cannot listen on unix://{tmp_path / place}: {reason}"


def test_a_file_that_is_not_ours_any_more_stays(path: Path) -> None:
    listener = BoundSocket(UnixAddress(str(path)), owner="rpc")
    path.unlink()
    other = BoundSocket(UnixAddress(str(path)), owner="rpc")
    try:
        listener.close()
        assert path.exists()
    finally:
        other.close()
    assert not path.exists()


def test_a_file_that_somebody_removed_is_no_error(path: Path) -> None:
    listener = BoundSocket(UnixAddress(str(path)), owner="rpc")
    path.unlink()
    listener.close()
