"""Releases from one host to another: the message, its result, what is refused, and the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import expect
from support.container.host import run, write
from support.inbox.host import api, inbox, mail, relay_of, send
from support.inbox.page import Visit, live

HERE = "127.0.0.1:0"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("authority")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    cert = ca.issue_cert("127.0.0.1")
    cert.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    cert.private_key_pem.write_to_path(str(folder / "key.pem"))
    yield folder


def test_a_message_goes_to_a_real_server_byte_for_byte(
    tmp_path: Path, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    for name in ("relay", "catcher"):
        (tmp_path / name).mkdir()
    tls = {"cert": str(authority / "cert.pem"), "key": str(authority / "key.pem"), "required": True}
    content = "Return-Path: <old@b.c>\r\nBcc: secret@example.com\r\nSubject: ü\r\n\r\n.\r\n..dots\r\n.end\r\n".encode()
    with inbox(tmp_path / "relay", {"addr": HERE, "tls": tls}) as (relay, real):
        given = relay_of(relay, tls="starttls", username="ann", password="hunter2")
        with inbox(tmp_path / "catcher", relay=given) as (host, client):
            assert client.get("info").json()["relay"] == {
                "address": f"127.0.0.1:{relay.smtp[1]}",
                "allow": ["*@example.com"],
            }
            send(host, content)
            answer = client.post("messages/latest/release", json={"to": ["Bob@EXAMPLE.com", "eve@example.com"]})
            assert answer.status_code == 200, answer.text
            release = answer.json()
            assert (release["accepted"], release["code"]) == (True, 250)
            (kept,) = client.get("messages/latest").json()["releases"]
            assert kept == release
            refused = client.post("messages/latest/release", json={"to": ["bob@example.org"]})
            assert refused.status_code == 403
            assert refused.json()["detail"] == "bob@example.org is not allowed; inbox.relay.allow has *@example.com"
            host.wait_for("message released")
            raw = real.get("messages/latest/raw").content
            back = client.post("messages/none/release", json={"to": ["bob@example.com"]})
            assert back.status_code == 404
            send(host, raw, to="bob@example.com")  # as if the relay had sent it to us
            again = client.post("messages/latest/release", json={"to": ["bob@example.com"]})
            assert again.status_code == 409
            assert "hunter2" not in str(host.lines)
        detail = real.get("messages/latest").json()
        assert len(real.get("messages").json()["messages"]) == 1
    received, _, rest = raw.partition(b"\r\n\t")
    assert received.startswith(b"Received: by ")
    assert rest.partition(b"\r\n")[2] == content.partition(b"Bcc: secret@example.com\r\n")[2]
    assert detail["summary"]["from"] == "a@b.c"
    assert detail["summary"]["to"] == ["Bob@EXAMPLE.com", "eve@example.com"]
    assert detail["session"]["authentication"]["password"] == "hunter2"
    assert detail["session"]["tls"]["version"] == "TLSv1.3"
    assert detail["session"]["parameters"]["BODY"] == "8BITMIME"


def test_a_request_that_is_no_release_is_refused(tmp_path: Path) -> None:
    given = {"host": "127.0.0.1", "port": 1, "tls": "none", "allow": ["*@example.com"], "username": "ann"}
    with inbox(tmp_path, relay=given) as (host, client):
        host.wait_for("the password for the relay goes out in clear: inbox.relay.tls has no TLS")
        send(host, mail())
        path = "messages/latest/release"
        for body in (b"", b"{}", b"[]", b'{"to": "a@example.com"}', b'{"to": ["a@example.com"], "x": 1}', b'{"to": []}',
                     b'{"to": ["a@example.com\\r\\nRCPT TO:<b@b.c>"]}', b'{"to": ["*@example.com"]}',
                     b'{"to": ["\xff@example.com"]}'):  # fmt: skip
            assert client.post(path, content=body).status_code == 400, body
        assert client.post(path, content=b" " * 70_000).status_code == 413
        assert client.get(path).status_code == 405
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}):
            assert client.post(path, json={"to": ["a@example.com"]}, headers=headers).status_code == 403
        assert client.get("messages/latest").json()["releases"] == []
        failed = client.post(path, json={"to": ["a@example.com"]})
        assert failed.status_code == 502
        assert failed.json()["detail"] == "cannot connect to the relay 127.0.0.1:1: connection refused"
        (kept,) = client.get("messages/latest").json()["releases"]
        assert (kept["accepted"], kept["reason"]) == (False, failed.json()["detail"])


def test_a_host_that_is_its_own_relay_does_not_start(tmp_path: Path, free_tcp_port: int) -> None:
    relay = {"host": "localhost", "port": free_tcp_port, "tls": "none"}
    write(tmp_path, inbox={"address": HERE, "relay": relay}, smtp={"addr": f"*:{free_tcp_port}"})
    done = run("serve", cwd=tmp_path)
    assert done.returncode == 1
    assert f"inbox.relay: localhost:{free_tcp_port} is this host's own mail server" in done.stderr
    assert "inbox.relay.allow is empty" in done.stderr


@pytest.mark.program("chromium")
def test_the_page_releases_a_message_where_there_is_a_relay(tmp_path: Path, visit: Visit) -> None:
    for name in ("relay", "catcher"):
        (tmp_path / name).mkdir()
    with inbox(tmp_path / "relay") as (relay, _):
        page = live(visit(relay))
        send(relay, mail("without"))
        page.get_by_role("option").click()
        expect(page.get_by_role("link", name="Download the message")).to_be_visible()
        expect(page.get_by_role("button", name="Release")).to_be_hidden()
        with inbox(tmp_path / "catcher", relay=relay_of(relay)) as (host, client):
            send(host, mail("with"))
            page, other = (live(visit(host)) for _ in range(2))
            for each in (page, other):
                each.get_by_role("option").click()
            page.get_by_role("button", name="Release the message").click()
            dialog = page.get_by_role("dialog", name="Release the message")
            expect(dialog).to_contain_text("*@example.com")
            page.keyboard.type("bob@example.org")
            page.keyboard.press("Enter")
            expect(dialog.get_by_role("status")).to_have_text(re.compile("bob@example.org is not allowed"))
            dialog.get_by_label("To").fill("bob@example.com")
            dialog.get_by_role("button", name="Release").click()
            expect(dialog.get_by_role("status")).to_have_text(re.compile("The relay has taken it: 250 "))
            dialog.get_by_role("button", name="Close").click()
            for each in (page, other):
                expect(each.locator("#releases li")).to_have_text(re.compile("^Released to bob@example.com, .*: 250 "))
            page.set_viewport_size({"width": 360, "height": 740})  # icons alone, and still each has its name
            for name in ("Release the message", "Delete the message"):
                expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
            expect(page.get_by_role("link", name="Download the message", exact=True)).to_be_visible()
            expect(page.get_by_role("button", name="0 connections")).to_be_visible()
            assert len(client.get("messages/latest").json()["releases"]) == 1
            client.post("messages/latest/release", json={"to": ["eve@example.com"]})
            lines = page.locator("#releases li")
            expect(lines).to_have_text([re.compile("^Released to eve@example.com, .*: 250 .* \\+1 more$")])
            lines.get_by_role("button").click()
            expect(lines).to_have_text([re.compile("^Released to eve@"), re.compile("^Released to bob@")])
        with api(relay) as client:
            assert client.get("messages/latest").json()["summary"]["subject"] == "with"
