"""A host on several addresses: each of its servers is reached by all of them."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import urllib.request
from pathlib import Path

import pytest
import trustme
from support.container.host import Host, hosting, run, write

BOTH = {
    "smtp": {"addr": "localhost:0"},
    "rpc": {"listen": "tcp://localhost:0"},
    "inbox": {"address": ["localhost:0"]},
    "status": {"address": "localhost:0"},
}
LINES = {
    "smtp": ("SMTP server listens", "addr"),
    "rpc": ("rpc is listening", "address"),
    "inbox": ("HTTP server listens", "address"),
    "status": ("HTTP server listens", "address"),
}


@pytest.fixture(scope="module", autouse=True)
def ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")


def port_of(host: Host, plugin: str) -> int:
    """Return the one port of both addresses, as the log has them."""
    message, key = LINES[plugin]
    (line,) = host.wait_for(message, logger=plugin)
    found = re.fullmatch(r"tcp://127\.0\.0\.1:(\d+), tcp://\[::1\]:(\d+)", line[key])
    assert found is not None, line
    assert found[1] == found[2]
    return int(found[1])


def test_localhost_is_both_addresses_for_every_server_of_the_host(tmp_path: Path) -> None:
    with hosting(tmp_path, **BOTH) as host:
        for number in ("127.0.0.1", "::1", "localhost"):
            with smtplib.SMTP(number, port_of(host, "smtp"), timeout=20) as client:
                assert client.sendmail("a@b.c", ["x@y.z"], "Subject: here\r\n\r\nx") == {}
            done = host.rrpy("rpc", "--address", f"tcp://{_url(number)}:{port_of(host, 'rpc')}", "rpc.Version")
            assert done.returncode == 0, done.stderr
            for plugin, path in (("inbox", "/api/v1/messages"), ("status", "/health")):
                with urllib.request.urlopen(f"http://{_url(number)}:{port_of(host, plugin)}{path}", timeout=20) as got:
                    assert got.status == 200


def test_a_client_finds_the_host_by_the_configured_address(tmp_path: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as free:
        port = free.getsockname()[1]
    absent = f"unix://{tmp_path}/absent/s"
    with hosting(tmp_path, rpc={"listen": [f"tcp://*:{port}", f"unix://{tmp_path}/s"], "allow_remote": True}) as host:
        assert host.rrpy("rpc", "rpc.Version").returncode == 0
        for listen in ([f"tcp://localhost:{port}"], [absent, f"unix://{tmp_path}/s"], f"tcp://*:{port}"):
            done = host.rrpy("rpc", "-o", f"rpc.listen={listen}", "rpc.Version")
            assert done.returncode == 0, done.stderr
        done = host.rrpy("rpc", "-o", f"rpc.listen=[{absent}, {absent}]", "rpc.Version")
        assert (done.returncode, absent in done.stderr) == (2, True)


def test_implicit_tls_is_on_both_addresses_too(tmp_path: Path) -> None:
    pair = trustme.CA().issue_cert("localhost")
    pair.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pair.pem"))
    pem = str(tmp_path / "pair.pem")
    smtp = {"addr": "localhost:0", "tls": {"cert": pem, "key": pem, "mode": "implicit"}}
    with hosting(tmp_path, smtp=smtp) as host:
        context = ssl._create_unverified_context()
        for number in ("127.0.0.1", "::1"):
            with smtplib.SMTP_SSL(number, port_of(host, "smtp"), timeout=20, context=context) as client:
                assert client.noop()[0] == 250


def test_a_second_host_sees_all_its_addresses_in_one_sentence(tmp_path: Path) -> None:
    with hosting(tmp_path, **BOTH) as host:
        ports = {plugin: port_of(host, plugin) for plugin in BOTH}
        second = tmp_path / "second"
        second.mkdir()
        write(
            second,
            smtp={"addr": f"localhost:{ports['smtp']}"},
            rpc={"listen": f"tcp://127.0.0.1:{ports['rpc']}"},
            inbox={"address": f"[::1]:{ports['inbox']}"},
        )
        done = run("serve", cwd=second)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("rrpy: cannot listen on ")
    for text in (
        f"tcp://127.0.0.1:{ports['smtp']} (smtp.addr), tcp://[::1]:{ports['smtp']} (smtp.addr)",
        f"tcp://127.0.0.1:{ports['rpc']} (rpc.listen)",
        f"tcp://[::1]:{ports['inbox']} (inbox.address)",
        "-o smtp.addr=tcp://127.0.0.1:0",
        "-o inbox.address=tcp://[::1]:0",
    ):
        assert text in last
    options = re.findall(r"-o (\S+)", last)
    assert run("config", "check", *(word for each in options for word in ("-o", each)), cwd=second).returncode == 0


def _url(number: str) -> str:
    return f"[{number}]" if ":" in number else number


def test_hosts_share_a_port_and_the_one_that_stays_takes_all(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    with hosting(folders[0], smtp={"addr": "127.0.0.1:0", "reuse_port": True, "hostname": "one"}) as first:
        number, port = first.smtp

        def greeted() -> str:
            with socket.create_connection((number, port), timeout=20) as client:
                return client.makefile().readline().split()[1]

        address = f"{number}:{port}"
        with hosting(folders[1], smtp={"addr": address, "reuse_port": True, "hostname": "two"}):
            assert {greeted() for _ in range(200)} == {"one", "two"}
            write(folders[2], smtp={"addr": address})
            refused = run("serve", "-c", "rr.yaml", cwd=folders[2])
            assert refused.returncode == 1
            assert f"tcp://{address} (smtp.addr): " in refused.stderr
            assert "ddress already in use" in refused.stderr
        assert {greeted() for _ in range(50)} == {"one"}


@pytest.mark.parametrize("address", ["unix:///tmp/s", "systemd:smtp"])
def test_only_ports_can_be_shared(tmp_path: Path, address: str) -> None:
    write(tmp_path, smtp={"addr": address, "reuse_port": True})
    refused = run("serve", "-c", "rr.yaml", cwd=tmp_path)
    assert refused.returncode == 2
    assert (
        f"smtp.reuse_port is true in rr.yaml; smtp.addr has {address}, and only TCP ports can be shared"
        in refused.stderr
    )
