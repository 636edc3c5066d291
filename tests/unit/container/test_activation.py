"""Sockets that systemd passes: which there are, who gets one, and what is said when there is none."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from rrpy.container.net import activation, sockets
from rrpy.container.net.activation import Passed
from rrpy.container.net.address import SystemdAddress, TCPAddress, UnixAddress
from rrpy.container.net.listening import BoundSockets, listen_addresses
from rrpy.container.net.sockets import BoundSocket, ListenError, passed_address

Receive = Callable[..., Passed]


@pytest.fixture
def receive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receive]:
    """Pass these sockets, under these names, to this process, as descriptors that follow on each other."""
    with ExitStack() as stack:

        def pass_on(*passed: tuple[str, socket.socket | int], **environ: str | None) -> Passed:
            first = 200
            for number, (_, each) in enumerate(passed, first):
                os.dup2(each if isinstance(each, int) else each.fileno(), number, inheritable=True)
                stack.callback(close, number)
            said = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(passed))}
            said["LISTEN_FDNAMES"] = ":".join(name for name, _ in passed)
            environment = {key: value for key, value in {**said, **environ}.items() if value is not None}
            found = Passed()
            found.receive(environment, first)
            assert environment == {}, "the variables are taken away"
            monkeypatch.setattr(sockets, "PASSED", found)
            return found

        yield pass_on


def close(number: int) -> None:
    with suppress(OSError):  # the test closed it, as the owner of the socket
        os.close(number)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def refusal(address: str = "systemd:smtp") -> str:
    with pytest.raises(ListenError) as caught:
        BoundSockets(listen_addresses(address, "smtp.addr")).close()
    prefix = f"cannot listen on {address} (smtp.addr): "
    assert str(caught.value).startswith(prefix)
    return str(caught.value).removeprefix(prefix)


def test_a_socket_is_taken_over_by_its_name(receive, listening):
    passed = receive(("web", 0), ("smtp", listening))
    bound = BoundSocket(SystemdAddress("smtp"), owner="smtp")
    assert bound.address == TCPAddress(*listening.getsockname())
    assert not bound.socket.get_inheritable()
    assert passed.unused == ["web"]
    with socket.create_connection(listening.getsockname(), 10):
        bound.socket.settimeout(10)
        bound.socket.accept()[0].close()
    bound.close()
    with socket.create_connection(listening.getsockname(), 10):
        pass  # systemd's own copy still listens


def test_no_child_inherits_a_socket_that_nobody_took(receive, listening):
    receive(("smtp", listening))
    assert not os.get_inheritable(200)


def test_where_it_is_bound_can_be_looked_at_before_it_is_taken(receive, listening):
    receive(("smtp", listening))
    for _ in range(2):
        assert passed_address(SystemdAddress("smtp"), owner="smtp") == TCPAddress(*listening.getsockname())
    BoundSocket(SystemdAddress("smtp"), owner="smtp").close()
    with pytest.raises(ListenError, match="another plugin has this socket already"):
        passed_address(SystemdAddress("smtp"), owner="smtp")


def test_the_file_of_a_unix_socket_is_left_to_systemd(receive, tmp_path: Path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        made.listen()
        path.chmod(0o666)
        receive(("smtp", made))
        bound = BoundSocket(SystemdAddress("smtp"), owner="smtp")
        assert bound.address == UnixAddress(str(path))
        bound.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_an_abstract_unix_socket_is_written_with_an_at_sign(receive):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"\0rrpy-{os.getpid()}")
        made.listen()
        receive(("smtp", made))
        bound = BoundSocket(SystemdAddress("smtp"), owner="smtp")
        assert bound.address == UnixAddress(f"@rrpy-{os.getpid()}")
        bound.close()


def test_an_ipv6_socket_is_one(receive):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as made:
        receive(("smtp", made))
        bound = BoundSocket(SystemdAddress("smtp"), owner="smtp")
        assert str(bound.address) == f"tcp://[::1]:{made.getsockname()[1]}"
        bound.close()


def test_without_names_they_are_called_unknown_as_systemd_does(receive, listening):
    assert receive(("smtp", listening), LISTEN_FDNAMES=None).unused == ["unknown"]


# What is said when there is none.


def test_a_process_without_sockets_is_an_error_how_to_get_one(receive):
    receive(LISTEN_FDS=None, LISTEN_PID=None)
    assert refusal() == (
        "there is no such socket: this process was passed none; start it by its socket unit, or write an address of "
        "its own"
    )


def test_a_name_that_is_not_passed_is_an_error_with_those_that_are(receive, listening):
    receive(("rrpy.socket", listening), ("web", listening))
    assert refusal() == (
        "systemd passes no socket called smtp, only rrpy.socket, web; FileDescriptorName= in its socket unit names it"
    )


@pytest.mark.parametrize("pid", ["1", None])
def test_sockets_for_another_process_are_not_ours(receive, listening, pid):
    passed = receive(("smtp", listening), LISTEN_PID=pid)
    assert passed.unused == []
    assert refusal().startswith(
        f"there is no such socket: LISTEN_PID is {pid or 'not set'} and this process is {os.getpid()}, so the sockets "
        "were passed to another one; let the unit start rrpy itself, without a shell around it"
    )


def test_an_invalid_number_is_an_error(receive):
    for wrong in ("-1", "9" * 20):
        receive(LISTEN_FDS=wrong)
        assert refusal() == f"there is no such socket: LISTEN_FDS is '{wrong}', which is not a number of sockets"


def test_a_socket_that_another_plugin_has_is_an_error(receive, listening):
    receive(("smtp", listening))
    bound = BoundSocket(SystemdAddress("smtp"), owner="rpc")
    assert refusal() == "another plugin has this socket already"
    bound.close()


def test_two_sockets_of_one_name_are_ambiguous(receive, listening):
    receive(("smtp", listening), ("smtp", listening))
    assert refusal().startswith("systemd passes 2 sockets called smtp; a plugin listens on one")


def test_a_datagram_socket_is_an_error(receive):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        passed = receive(("smtp", made))
        assert refusal() == "the socket smtp of systemd carries datagrams; its unit needs ListenStream="
        assert passed.unused == ["smtp"]
        assert os.fstat(200), "it is still open"


def test_a_connection_is_an_error(receive):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        receive(("smtp", ours))
        assert refusal() == "the socket smtp of systemd does not listen; its unit needs Accept=no"


def test_another_kind_of_socket_is_an_error(receive, monkeypatch, listening):
    receive(("smtp", listening))
    monkeypatch.setattr(activation.socket, "AF_INET", socket.AF_UNSPEC)
    assert refusal() == "the socket smtp of systemd is neither TCP nor a unix socket"


def test_another_descriptor_is_an_error(receive, tmp_path):
    with (tmp_path / "fifo").open("w") as file:
        receive(("smtp", file.fileno()))
        assert refusal() == "the descriptor that systemd calls smtp is not a socket; its unit needs ListenStream="


def test_a_descriptor_that_is_not_open_is_an_error(receive):
    receive(LISTEN_FDS="1", LISTEN_FDNAMES="smtp")
    assert refusal() == "descriptor 200, which systemd calls smtp, is not open"


@pytest.mark.parametrize("value", ["systemd:", "systemd:a b", "systemd:a:b", "systemd:\n", "systemd:" + "x" * 256])
def test_what_cannot_be_a_name_is_no_address(value):
    with pytest.raises(Exception, match=r"it is written host:port, .* or systemd:NAME"):
        listen_addresses(value, "smtp.addr")
