from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from rrpy.container.net.address import Address, TCPAddress, UnixAddress, parse_address
from rrpy.container.net.resolving import is_loopback, resolved
from rrpy.container.net.sockets import BoundSocket, ListenError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose name is short enough for a unix socket, under a generous umask."""
    before = os.umask(0)
    yield tmp_path
    os.umask(before)


def refusal(address: Address) -> str:
    with pytest.raises(ListenError) as caught:
        BoundSocket(address, owner="smtp").close()
    assert caught.value.exit_code == 1
    return str(caught.value)


def answers(address: Address) -> bool:
    family = socket.AF_UNIX if isinstance(address, UnixAddress) else socket.AF_INET
    target = address.path if isinstance(address, UnixAddress) else (address.host, address.port)
    with socket.socket(family, socket.SOCK_STREAM) as client:
        return client.connect_ex(target) == 0


def dead(path: Path) -> None:
    """Leave the file of a host that was killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(path))
        killed.listen()


# TCP.


def test_port_0_becomes_a_real_one_and_it_listens_from_then_on():
    bound = BoundSocket(TCPAddress("127.0.0.1", 0), owner="smtp")
    assert bound.address.port > 0
    assert answers(bound.address)
    bound.close()
    assert not answers(bound.address)
    bound.close()


def test_a_port_that_is_taken_is_one_sentence_with_the_owner_and_the_address():
    bound = BoundSocket(TCPAddress("127.0.0.1", 0), owner="smtp")
    assert refusal(bound.address) == f"cannot listen on {bound.address} (smtp): address already in use"
    bound.close()


def test_a_port_can_be_bound_again_right_after_a_connection_was_served():
    bound = BoundSocket(TCPAddress("127.0.0.1", 0), owner="smtp")
    with socket.create_connection((bound.address.host, bound.address.port)) as client:
        served, _ = bound.socket.accept()
        served.close()  # our side closes first, so that the port stays in TIME_WAIT
        assert client.recv(1) == b""
    bound.close()
    again = BoundSocket(bound.address, owner="smtp")
    assert again.address == bound.address
    again.close()


def test_a_number_that_is_not_this_machines_is_one_sentence():
    assert refusal(TCPAddress("192.0.2.1", 0)) == (
        "cannot listen on tcp://192.0.2.1:0 (smtp): cannot assign requested address"
    )


def test_a_name_that_nobody_knows_is_one_sentence():
    said = refusal(TCPAddress("nowhere.invalid", 0))
    assert said.startswith("cannot listen on tcp://nowhere.invalid:0 (smtp): ")


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_ipv6_is_bound_and_written_in_brackets():
    try:
        bound = BoundSocket(parse_address("tcp://[::1]:0"), owner="smtp")
    except ListenError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    assert str(bound.address) == f"tcp://[::1]:{bound.address.port}"
    with socket.create_connection(("::1", bound.address.port)):
        pass
    assert refusal(bound.address) == f"cannot listen on {bound.address} (smtp): address already in use"
    bound.close()


def test_a_bound_socket_is_not_given_to_workers():
    bound = BoundSocket(TCPAddress("127.0.0.1", 0), owner="smtp")
    assert not bound.socket.get_inheritable()
    bound.close()


# Unix.


def test_a_unix_socket_is_private_whatever_the_umask_and_the_umask_stays(folder):
    address = UnixAddress(str(folder / "s"))
    bound = BoundSocket(address, owner="rpc")
    assert stat.S_IMODE((folder / "s").lstat().st_mode) == 0o600
    assert os.umask(0) == 0
    assert answers(address)
    bound.close()
    assert not (folder / "s").exists()


def test_the_file_is_private_from_its_first_moment(folder, monkeypatch):
    modes = []
    real = socket.socket.listen

    def listen(self: socket.socket, *backlog: int) -> None:
        modes.append(stat.S_IMODE(Path(self.getsockname()).lstat().st_mode))
        real(self, *backlog)

    monkeypatch.setattr(socket.socket, "listen", listen)
    BoundSocket(UnixAddress(str(folder / "s")), owner="rpc").close()
    assert modes == [0o600]


def test_the_umask_is_given_back_also_when_binding_fails(folder):
    refusal(UnixAddress(str(folder / "missing" / "s")))
    assert os.umask(0) == 0


def test_the_file_of_a_dead_host_is_replaced(folder):
    dead(folder / "s")
    address = UnixAddress(str(folder / "s"))
    bound = BoundSocket(address, owner="rpc")
    assert answers(address)
    bound.close()


def test_the_file_of_a_living_host_is_never_taken(folder):
    address = UnixAddress(str(folder / "s"))
    bound = BoundSocket(address, owner="rpc")
    assert refusal(address) == f"cannot listen on {address} (smtp): another process is listening there"
    assert answers(address)
    bound.close()


def test_a_living_host_whose_queue_is_full_is_a_living_host(folder):
    address = UnixAddress(str(folder / "s"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as busy:
        busy.bind(address.path)
        busy.listen(0)
        waiting = []
        while True:
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            client.setblocking(False)
            waiting.append(client)
            if client.connect_ex(address.path):
                break
        assert refusal(address).endswith(": another process is listening there")
        for client in waiting:
            client.close()


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
def test_a_file_that_is_no_socket_is_left_alone(folder, make):
    make(folder / "s")
    address = UnixAddress(str(folder / "s"))
    assert refusal(address) == f"cannot listen on {address} (smtp): there is a file of that name which is not a socket"
    assert (folder / "s").exists()


def test_a_link_to_somebodys_file_is_left_alone(folder):
    (folder / "target").write_text("precious")
    (folder / "s").symlink_to(folder / "target")
    assert refusal(UnixAddress(str(folder / "s"))).endswith("which is not a socket")
    assert (folder / "target").read_text() == "precious"


def test_a_socket_of_another_kind_is_not_taken_for_a_dead_one(folder):
    address = UnixAddress(str(folder / "s"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(address.path)
        assert refusal(address).startswith(f"cannot listen on {address} (smtp): protocol wrong type")
    assert (folder / "s").exists()


def test_a_path_that_is_too_long_or_whose_folder_is_missing_is_one_sentence(folder):
    address = UnixAddress(str(folder / ("x" * 200)))
    assert refusal(address) == f"cannot listen on {address} (smtp): AF_UNIX path too long"
    address = UnixAddress(str(folder / "missing" / "s"))
    assert refusal(address) == f"cannot listen on {address} (smtp): no such file or directory"


def test_a_path_that_is_too_long_over_a_dead_hosts_file_is_the_same_sentence(folder):
    deep = folder / ("d" * 100)
    deep.mkdir()
    here = Path.cwd()
    os.chdir(deep)
    try:
        dead(Path("s"))
    finally:
        os.chdir(here)
    address = UnixAddress(str(deep / "s"))
    assert refusal(address) == f"cannot listen on {address} (smtp): AF_UNIX path too long"


def test_a_file_that_is_not_ours_any_more_stays_when_we_close(folder):
    path = folder / "s"
    bound = BoundSocket(UnixAddress(str(path)), owner="rpc")
    path.unlink()
    newer = BoundSocket(UnixAddress(str(path)), owner="rpc")
    bound.close()
    assert answers(newer.address)
    newer.close()
    assert not path.exists()


def test_a_file_that_somebody_removed_is_no_error_at_the_close(folder):
    bound = BoundSocket(UnixAddress(str(folder / "s")), owner="rpc")
    (folder / "s").unlink()
    bound.close()
    bound.close()


def test_a_folder_that_is_swapped_for_a_link_meanwhile_loses_no_file_elsewhere(folder, monkeypatch):
    ours, elsewhere = folder / "ours", folder / "elsewhere"
    ours.mkdir()
    elsewhere.mkdir()
    (elsewhere / "s").write_text("precious")
    bound = BoundSocket(UnixAddress(str(ours / "s")), owner="rpc")
    stat_of = os.stat

    def swap(path: object, **options: object) -> os.stat_result:
        found = stat_of(path, **options)
        monkeypatch.undo()
        ours.rename(folder / "moved")
        ours.symlink_to(elsewhere)
        return found

    monkeypatch.setattr(os, "stat", swap)
    bound.close()
    assert ours.is_symlink()
    assert (elsewhere / "s").read_text() == "precious"
    assert not (folder / "moved" / "s").exists()


# Who can reach it.


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("tcp://127.0.0.1:1", True),
        ("tcp://127.9.9.9:1", True),
        ("tcp://[::1]:1", True),
        ("tcp://[::ffff:127.0.0.1]:1", True),
        ("tcp://localhost:1", True),
        ("unix:///x", True),
        ("tcp://*:1", False),
        ("tcp://0.0.0.0:1", False),
        ("tcp://[::]:1", False),
        ("tcp://192.0.2.1:1", False),
        ("tcp://[::ffff:192.0.2.1]:1", False),
        ("tcp://1:1", False),
    ],
)
def test_an_address_is_loopback_when_this_machine_alone_reaches_it(url, ours):
    assert is_loopback(parse_address(url)) is ours


def test_a_name_becomes_the_numbers_that_it_stands_for():
    assert resolved(TCPAddress("localhost", 1)) == [TCPAddress("127.0.0.1", 1), TCPAddress("::1", 1)]
    assert resolved(TCPAddress("LOCALHOST", 1)) == resolved(TCPAddress("localhost", 1))
    assert resolved(TCPAddress("*", 1)) == [TCPAddress("0.0.0.0", 1), TCPAddress("::", 1)]
    assert resolved(TCPAddress("127.0.0.1", 5)) == [TCPAddress("127.0.0.1", 5)]
    assert resolved(UnixAddress("/x")) == [UnixAddress("/x")]


@pytest.mark.parametrize("look", [is_loopback, resolved])
def test_a_name_that_nobody_knows_is_a_sentence_that_names_it(look):
    """The sentence ended in the number of the system's error: `[Errno -2] Name or service not known`."""
    with pytest.raises(ValueError, match=r"^the host name 'nowhere\.invalid' cannot be resolved: [a-z][^\[\]]+$"):
        look(TCPAddress("nowhere.invalid", 1))
    with pytest.raises(ValueError, match=r"cannot be resolved: a part between its dots is empty, or longer than 63"):
        look(TCPAddress("x" * 70 + ".example", 1))
