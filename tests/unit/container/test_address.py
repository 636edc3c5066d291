"""Addresses: valid ones, invalid ones, and their text."""

from __future__ import annotations

from pathlib import Path

import pytest

from rrpy.container.net.address import TCPAddress, UnixAddress, parse_address, peer_host, peer_text


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("tcp://127.0.0.1:6001", TCPAddress("127.0.0.1", 6001)),
        ("tcp://localhost:0", TCPAddress("localhost", 0)),
        ("tcp://my-host.example:65535", TCPAddress("my-host.example", 65535)),
        ("tcp://[::1]:6001", TCPAddress("::1", 6001)),
        ("tcp://[fe80::1%eth0]:6001", TCPAddress("fe80::1%eth0", 6001)),
        ("unix:///run/rr.sock", UnixAddress("/run/rr.sock")),
        ("unix:///run/with space/ü.sock", UnixAddress("/run/with space/ü.sock")),
    ],
)
def test_an_address_reads_and_writes_back(url: str, address: object) -> None:
    assert parse_address(url) == address
    assert str(parse_address(url)) == url


def test_a_relative_unix_path_counts_from_the_current_folder() -> None:
    assert parse_address("unix://rr.sock") == UnixAddress(str(Path.cwd() / "rr.sock"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:6001",
        "http://127.0.0.1:6001",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://:6001",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1:٣",
        "tcp://::1:6001",
        "tcp://[::1:6001",
        "tcp://[]:6001",
        "tcp://user@host:6001",
        "tcp://127.0.0.1:6001/",
        "tcp://127.0.0.1:6001\n",
        "unix://",
        "unix:///a\x00b",
    ],
)
def test_anything_else_is_refused_in_a_sentence_that_shows_it(url: str) -> None:
    with pytest.raises(ValueError, match="an address is written tcp://host:port or unix:///path, got ") as raised:
        parse_address(url)
    assert repr(url) in str(raised.value)


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        (("192.0.2.1", 25), "192.0.2.1:25"),
        (("2001:db8::1", 25, 0, 0), "[2001:db8::1]:25"),
        (("::ffff:192.0.2.1", 25, 0, 0), "192.0.2.1:25"),
        (("::ffff:c000:201", 25, 0, 0), "192.0.2.1:25"),
        (("::ffff:0:1", 25, 0, 0), "0.0.0.1:25"),
        (("::ffff:1:0:0", 25, 0, 0), "[::ffff:1:0:0]:25"),
        (("fe80::1%eth0", 25, 0, 2), "[fe80::1%eth0]:25"),
        ("", "unix"),
        (b"\0abstract", "unix"),
        ("/run/x.sock", "unix"),
        (None, "unix"),
    ],
)
def test_a_peer_is_an_address_or_unix(peer: object, text: str) -> None:
    assert peer_text(peer) == text
    assert peer_host(peer) == ("" if text == "unix" else text.removesuffix(":25").strip("[]"))
