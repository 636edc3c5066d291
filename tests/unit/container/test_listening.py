"""Listening on several addresses: localhost, every address, lists; and the check of a whole host."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from rrpy.container.errors import ConfigError
from rrpy.container.net import listening, sockets
from rrpy.container.net.address import TCPAddress, UnixAddress
from rrpy.container.net.listening import Addresses, BoundSockets, check_free, listen_addresses
from rrpy.container.net.sockets import ListenError


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@contextmanager
def bound(value: str | list[str]) -> Iterator[BoundSockets]:
    with closing(BoundSockets(listen_addresses(value, "smtp.addr"))) as found:
        yield found


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except OSError:
        return False
    return True


@contextmanager
def taken(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as server:
        yield server.getsockname()[1]


def port_of(found: BoundSockets) -> int:
    (port,) = {address.port for address in found.addresses if isinstance(address, TCPAddress)}
    return port


# The setting.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("127.0.0.1:25", "tcp://127.0.0.1:25"),
        ("tcp://127.0.0.1:25", "tcp://127.0.0.1:25"),
        ("tcp://[::1]:25", "tcp://[::1]:25"),
        ("localhost:25", "tcp://127.0.0.1:25, tcp://[::1]:25"),
        ("*:25", "tcp://0.0.0.0:25, tcp://[::]:25"),
        (["127.0.0.1:25", "unix:///x", "systemd:smtp"], "tcp://127.0.0.1:25, unix:///x, systemd:smtp"),
        (["localhost:25", "127.0.0.1:25", "[::1]:26"], "tcp://127.0.0.1:25, tcp://[::1]:25, tcp://[::1]:26"),
        (["127.0.0.1:0", "127.0.0.1:0"], "tcp://127.0.0.1:0, tcp://127.0.0.1:0"),
    ],
)
def test_a_setting_is_an_address_or_a_list(value: str | list[str], text: str) -> None:
    assert str(listen_addresses(value, "smtp.addr")) == text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (":25", "smtp.addr is ':25'; it is written host:port, [ipv6]:port, *:port, unix:///path or systemd:NAME"),
        ([], "smtp.addr is an empty list"),
        (["127.0.0.1:25", "25"], "smtp.addr is '25'; it is written"),
    ],
)
def test_another_setting_is_refused(value: str | list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        listen_addresses(value, "smtp.addr")
    assert str(caught.value).startswith(said)


def test_the_same_setting_twice_is_one_listener_but_not_with_a_free_port() -> None:
    one = listen_addresses("localhost:25", "status.address")
    assert one.is_same(listen_addresses("localhost:25", "metrics.address"))
    assert not one.is_same(listen_addresses("127.0.0.1:25", "metrics.address"))
    assert not listen_addresses("localhost:0", "x").is_same(listen_addresses("localhost:0", "x"))


# The sockets.


@needs_ipv6
def test_localhost_is_both_loopback_addresses_on_one_free_port() -> None:
    with bound("localhost:0") as found:
        assert answers("127.0.0.1", port_of(found))
        assert answers("::1", port_of(found))
        assert str(found) == f"tcp://127.0.0.1:{port_of(found)}, tcp://[::1]:{port_of(found)}"
        assert found.address == TCPAddress("127.0.0.1", port_of(found))


@needs_ipv6
def test_every_address_is_both_families_each_with_clients_of_its_own() -> None:
    with bound("*:0") as found:
        assert answers("127.0.0.1", port_of(found))
        assert answers("::1", port_of(found))
        with socket.create_connection(("127.0.0.1", port_of(found))):
            assert found.sockets[0].socket.accept()[0].close() is None


@needs_ipv6
def test_a_list_with_both_wildcards_is_as_every_address() -> None:
    with taken() as port:
        pass
    with bound([f"0.0.0.0:{port}", f"[::]:{port}"]) as found:
        assert len(found.sockets) == 2


@needs_ipv6
def test_the_wildcard_of_ipv6_alone_takes_ipv4_too() -> None:
    with bound("[::]:0") as found:
        assert answers("127.0.0.1", port_of(found))


@needs_ipv6
def test_a_free_port_is_free_on_both_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []
    real = listening._bind_each

    def bind_each(*args: object) -> object:
        attempts.append(args)
        if len(attempts) == 1:
            raise ListenError(sockets.Refusal("smtp.addr", TCPAddress("::1", 1), "in use", errno.EADDRINUSE))
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(listening, "_bind_each", bind_each)
    with bound("localhost:0") as found:
        assert port_of(found)
    assert len(attempts) == 2


def test_a_machine_with_one_family_has_the_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ipv6(monkeypatch)
    check_free([listen_addresses("localhost:0", "smtp.addr")])
    with bound("localhost:0") as found:
        assert [str(address) for address in found.addresses] == [f"tcp://127.0.0.1:{port_of(found)}"]
    with pytest.raises(ListenError, match=r"cannot listen on tcp://\[::1\]:0 \(smtp.addr\): "), bound("[::1]:0"):
        pass


def without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sockets._bind_tcp

    def bind(address: TCPAddress, **options: bool) -> socket.socket:
        if ":" in address.host:
            raise OSError(errno.EADDRNOTAVAIL, "cannot assign requested address")
        return real(address, **options)

    monkeypatch.setattr(sockets, "_bind_tcp", bind)


@needs_ipv6
def test_a_port_that_is_taken_on_one_address_is_an_error_and_binds_nothing() -> None:
    with taken("::1") as port:
        with pytest.raises(ListenError, match=rf"tcp://\[::1\]:{port} \(smtp.addr\): address already in use"):
            BoundSockets(listen_addresses(f"localhost:{port}", "smtp.addr"))
        assert not answers("127.0.0.1", port)


# The check of a host.


def said_of(*settings: Addresses) -> str:
    with pytest.raises(ListenError) as caught:
        check_free(settings)
    return str(caught.value)


def test_all_addresses_in_use_are_in_one_sentence_with_their_keys_and_the_options() -> None:
    with taken() as rpc, taken() as smtp, taken() as free:
        pass
    with taken(port=rpc), taken(port=smtp):
        assert said_of(
            listen_addresses(f"tcp://127.0.0.1:{rpc}", "rpc.listen", urls=True),
            listen_addresses(f"127.0.0.1:{free}", "status.address"),
            listen_addresses(f"127.0.0.1:{smtp}", "smtp.addr"),
        ) == (
            f"cannot listen on tcp://127.0.0.1:{rpc} (rpc.listen), tcp://127.0.0.1:{smtp} (smtp.addr): address already "
            "in use; end the other program, or take free ports, which the log names: "
            "-o rpc.listen=tcp://127.0.0.1:0 -o smtp.addr=tcp://127.0.0.1:0"
        )


@needs_ipv6
def test_both_addresses_of_localhost_have_one_option() -> None:
    with taken() as port, taken("::1", port):
        said = said_of(listen_addresses(f"localhost:{port}", "smtp.addr"))
    assert said.startswith(f"cannot listen on tcp://127.0.0.1:{port} (smtp.addr), tcp://[::1]:{port} (smtp.addr): ")
    assert said.count(" -o ") == 1


def test_other_reasons_have_no_option(tmp_path: pytest.TempPathFactory) -> None:
    (tmp_path / "s").touch()  # type: ignore[operator]
    said = said_of(Addresses.of(UnixAddress(f"{tmp_path}/s"), "rpc.listen"), listen_addresses("192.0.2.1:25", "a.b"))
    assert said == (
        f"cannot listen on unix://{tmp_path}/s (rpc.listen): there is a file of that name which is not a socket; "
        "on tcp://192.0.2.1:25 (a.b): cannot assign requested address"
    )


def test_a_living_hosts_unix_socket_is_in_use(tmp_path: pytest.TempPathFactory) -> None:
    address = Addresses.of(UnixAddress(f"{tmp_path}/s"), "rpc.listen")
    with closing(BoundSockets(address)):
        assert said_of(address).endswith(f"the log names: -o rpc.listen=unix://{tmp_path}/s.2")
    check_free([address])


def test_two_settings_with_one_address_are_told_apart() -> None:
    with taken() as port:
        pass
    smtp, inbox = (listen_addresses(f"127.0.0.1:{port}", key) for key in ("smtp.addr", "inbox.address"))
    assert said_of(smtp, inbox) == f"cannot listen on tcp://127.0.0.1:{port} (inbox.address): smtp.addr has it too"
    check_free([listen_addresses("127.0.0.1:0", "smtp.addr"), listen_addresses("127.0.0.1:0", "inbox.address")])


def test_the_check_listens_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "listen", lambda *_: pytest.fail("a client would find a host"))
    check_free([listen_addresses("localhost:0", "smtp.addr"), listen_addresses("systemd:x", "inbox.address")])
