"""An inbox with a certificate."""

from __future__ import annotations

import signal
import socket
import ssl
from pathlib import Path

import httpx
import pytest
import trustme
from support.container.host import hosting
from support.inbox.host import mail, send, url
from support.waiting import TIMEOUT

from rrpy.container.passwords import new_token, token_hash


def test_the_inbox_serves_https_and_loads_its_certificate_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    files = {"cert": tmp_path / "cert.pem", "key": tmp_path / "key.pem"}

    def issue() -> bytes:
        made = authority.issue_cert("127.0.0.1")
        made.cert_chain_pems[0].write_to_path(files["cert"])
        made.private_key_pem.write_to_path(files["key"])
        return ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())

    first = issue()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    token = new_token()
    section = {
        "address": "127.0.0.1:0",
        "tls": {name: str(path) for name, path in files.items()},
        "tokens": {"ci": {"token": token_hash(token)}},
    }
    with hosting(tmp_path, inbox=section) as host:
        place = url(host).removeprefix("http://")

        def certificate() -> bytes | None:
            name, _, port = place.rpartition(":")
            with (
                socket.create_connection((name, int(port)), TIMEOUT) as plain,
                context.wrap_socket(plain, server_hostname=name) as shaken,
            ):
                return shaken.getpeercert(binary_form=True)

        send(host, mail("Welcome"))
        login = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"https://{place}", verify=context, headers=login, timeout=TIMEOUT) as client:
            with client.stream("GET", "/api/v1/stream") as stream:
                assert next(stream.iter_lines())
            assert client.get("/", headers={"Origin": f"https://{place}"}).status_code == 200
            assert client.get("/api/v1/messages/latest/raw").text.startswith("From: Ann")
        assert certificate() == first

        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        done = host.rrpy("dump", str(tmp_path / "out"), "--http", f"https://ci:{token}@{place}")
        assert done.stdout == f"1 written to {tmp_path}/out\n", done.stderr

        second = issue()
        host.process.send_signal(signal.SIGHUP)
        host.wait_for("certificate is loaded anew", logger="inbox")
        assert certificate() == second != first
