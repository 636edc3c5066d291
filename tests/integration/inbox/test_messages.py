"""The messages of an inbox: kept, listed, searched, waited for and deleted, beside a real host."""

from __future__ import annotations

import smtplib
import socket
import threading
import time
from base64 import encodebytes
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from support.container.host import hosting
from support.inbox.host import address, api, inbox, mail, send
from support.waiting import TIMEOUT
from support.worker.delivery import SUPPORT


def test_a_message_is_there_when_its_client_has_its_250(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        for number in range(20):
            send(host, mail(f"number {number}"))
            (newest, *_) = client.get("messages").json()["messages"]
            assert newest["subject"] == f"number {number}"


def test_everything_of_a_message_is_kept(tmp_path: Path) -> None:
    message = mail("Grüße", "Hällo\n", "<b>Hällo</b>\n")
    message.add_attachment(b"\x00\x01\r\n." * 999, maintype="application", subtype="pdf", filename='März "1"; 2.pdf')
    raw = message.as_bytes().replace(b"\n", b"\r\n")
    with inbox(tmp_path) as (host, client):
        with smtplib.SMTP(*host.smtp) as smtp:
            smtp.ehlo("client.example")
            smtp.login("user", "pass word")
            smtp.sendmail("ann@example.com", ["bob@example.com", "eve@example.com"], raw)
        (listed,) = client.get("messages").json()["messages"]
        assert listed == {
            "id": listed["id"], "received_at": listed["received_at"], "from": "ann@example.com",
            "to": ["bob@example.com", "eve@example.com"], "header_from": "Ann <ann@example.com>", "subject": "Grüße",
            "excerpt": "Hällo", "size": len(raw), "attachments": 1, "html": True, "code": 250, "number": 1,
            "from_name": "Ann", "defects": 0, "mailbox": "default",
            "read": False,
        }  # fmt: skip
        whole = client.get(f"messages/{listed['id']}").json()
        assert whole["summary"] == listed
        assert (whole["text"], whole["html"]) == ("Hällo\r\n", "<b>Hällo</b>\r\n")
        assert whole["headers"]["To"] == ["Bob <bob@example.com>"]
        assert whole["to"] == [{"name": "Bob", "address": "bob@example.com"}]
        assert [each["address"] for each in whole["session"]["recipients"]] == ["bob@example.com", "eve@example.com"]
        assert (whole["session"]["tls"], whole["session"]["parameters"]["SIZE"]) == (None, str(len(raw)))
        session = whole["session"]
        assert session["authentication"] == {"mechanism": "PLAIN", "username": "user", "password": "pass word"}
        assert (session["helo"], session["reply"]) == ("client.example", "OK: message accepted")
        assert session["transcript"][-2:] == [f"C: ({len(raw)} bytes of message)", "S: 250 OK: message accepted"]
        assert not any("pass" in line for line in session["transcript"])
        assert client.get("messages/latest/raw").content == raw
        assert client.get("messages/latest/raw").headers["Content-Type"] == "message/rfc822"
        got = client.get("messages/latest/attachments/1")
        assert got.content == b"\x00\x01\r\n." * 999
        assert got.headers["Content-Type"] == "application/octet-stream"
        assert whole["attachments"][0]["filename"] == 'März "1"; 2.pdf'
        assert got.headers["Content-Disposition"] == (
            "attachment; filename=\"M_rz 1; 2.pdf\"; filename*=UTF-8''M%C3%A4rz%201%3B%202.pdf"
        )


def test_a_message_that_a_worker_refuses_is_there_with_its_verdict(tmp_path: Path) -> None:
    (tmp_path / "seen").mkdir()
    server = {
        "command": "python -m rrpy.worker mail_handlers:decide",
        "env": {"PYTHONPATH": SUPPORT, "SEEN": str(tmp_path / "seen")},
    }
    section = {"deliver": "workers", "pool": {"num_workers": 1}}
    with (
        hosting(tmp_path, server=server, smtp=section, inbox={"address": "127.0.0.1:0"}) as host,
        api(host) as client,
        smtplib.SMTP(*host.smtp) as smtp,
    ):
        with pytest.raises(smtplib.SMTPDataError):
            smtp.sendmail("a@b.c", "code+550@example.com", "Subject: refused\n\nHi\n")
        got = client.get("messages/latest").json()
        assert (got["summary"]["code"], got["session"]["reply"]) == (550, "5.0.0 as the worker says")


def test_many_who_look_at_a_mail_with_images_hold_up_neither_each_other_nor_the_mail(tmp_path: Path) -> None:
    message = mail("Picture", html='<img src="cid:one">')
    message.get_payload(1).add_related(b"GIF89a", "image", "gif", cid="<one>")  # type: ignore[union-attr]
    with inbox(tmp_path) as (host, client), ExitStack() as clients:
        send(host, message)
        page = f"/api/v1/messages/{client.get('messages').json()['messages'][0]['id']}/html"
        get = f"GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        asked = [clients.enter_context(socket.create_connection(address(host), TIMEOUT)) for _ in range(100)]
        for each in asked:
            each.sendall(get.encode())
        send(host, mail("meanwhile"))
        for each in asked:
            with each.makefile("rb") as answer:
                assert b" 200 " in answer.readline()
                assert b"data:image/gif;base64," in answer.read()


def test_a_big_mail_does_not_hold_the_host(tmp_path: Path) -> None:
    """While it is parsed and kept, others are served."""
    with inbox(tmp_path, smtp={"max_message_size": 0}) as (host, client):
        big = f"Subject: big\n\n{'é' * 70}\n" + f"{'x' * 70}\n" * 300_000
        thread = threading.Thread(target=send, args=(host, big.encode()))
        thread.start()
        longest = 0.0
        while thread.is_alive():
            began = time.monotonic()
            assert client.get("info").status_code == 200
            longest = max(longest, time.monotonic() - began)
        thread.join()
        assert client.get("messages/latest").json()["summary"]["size"] > 20_000_000
        assert longest < TIMEOUT


@pytest.mark.parametrize("html", ["<p>&#1{}; there</p>", '<a href="&#1{};">there</a>', "<p>&#x1{}; there</p>"])
def test_a_number_of_thousands_of_digits_is_no_character(tmp_path: Path, html: str) -> None:
    with inbox(tmp_path) as (host, client):
        content = html.format("1" * 5000).encode()
        send(
            host,
            b"Subject: x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + encodebytes(content),
        )
        assert "there" in client.get("messages/latest/html").text


def test_the_list_goes_page_by_page_and_is_searched(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        for number in range(7):
            send(host, mail(f"number {number}", "even\n" if number % 2 == 0 else "odd\n"))
        seen, before = [], None
        while True:
            page = client.get("messages", params={"limit": 3} | ({"before": before} if before else {})).json()
            assert page["total"] == 7
            seen += [each["subject"] for each in page["messages"]]
            before = page["next"]
            if before is None:
                break
        assert seen == [f"number {number}" for number in range(6, -1, -1)]

        def found(text: str) -> list[str]:
            return [each["subject"] for each in client.get("messages", params={"search": text}).json()["messages"]]

        assert found("EVEN number") == ["number 6", "number 4", "number 2", "number 0"]
        assert found("bob@example.com 5") == ["number 5"]
        for text in ('"', "*", "%", "a OR b", "'; DROP TABLE messages; --", "NEAR(", "\\", "-even -odd"):
            assert found(text) == [], text


def test_a_search_has_a_limit(tmp_path: Path) -> None:
    with inbox(tmp_path) as (_, client):
        assert client.get("messages", params={"search": "a " * 128}).status_code == 200
        answer = client.get("messages", params={"search": "a " * 129})
        assert (answer.status_code, answer.json()["detail"]) == (400, "search: at most 256 characters")


def test_messages_are_deleted_one_by_one_and_all_at_once(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        for number in range(3):
            send(host, mail(f"number {number}"))
        newest = client.get("messages/latest").json()["summary"]["id"]
        assert client.delete(f"messages/{newest}").status_code == 204
        assert client.delete(f"messages/{newest}").status_code == 404
        assert client.get("messages/latest").json()["summary"]["subject"] == "number 1"
        assert client.delete("messages").json() == {"deleted": 2}
        page = client.get("messages").json()
        assert (page["messages"], page["total"], page["bytes"], page["next"]) == ([], 0, 0, None)


def test_the_oldest_go_first_and_the_newest_stays(tmp_path: Path) -> None:
    with inbox(tmp_path, max_messages=3, max_bytes=21_000) as (host, client):

        def subjects() -> list[str]:
            return [each["subject"] for each in client.get("messages").json()["messages"]]

        for number in range(5):
            send(host, mail(f"number {number}"))
        assert subjects() == ["number 4", "number 3", "number 2"]
        send(host, mail("large", "x" * 70 + "\n"))
        send(host, mail("huge", ("x" * 70 + "\n") * 1000))
        assert subjects() == ["huge"]
        send(host, mail("small"))
        assert subjects() == ["small"]


def test_waiting_ends_with_the_message_that_fits(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        send(host, mail("first"), to="one@example.com")
        got: list[httpx.Response] = []

        def waits(**params: str) -> threading.Thread:
            def wait() -> None:
                with api(host) as other:
                    got.append(other.get("wait", params=params))

            thread = threading.Thread(target=wait)
            thread.start()
            return thread

        thread = waits(to="TWO@example.com", subject="*ORDER*", **{"from": "a@b.c"})
        send(host, mail("second"), to="two@example.com")
        send(host, mail("My order"), to="three@example.com")
        send(host, mail("Your order 17"), to="two@example.com")
        thread.join(TIMEOUT)
        assert got[0].json()["summary"]["subject"] == "Your order 17"
        # What is there already counts, the newest first; with `after` it does not.
        newest = client.get("wait", params={"timeout": 0}).json()["summary"]
        assert newest["subject"] == "Your order 17"
        assert client.get("wait", params={"to": "one@example.com", "timeout": "0"}).json()["summary"]["number"] == 1
        late = client.get("wait", params={"after": newest["number"], "timeout": 0.05})
        assert (late.status_code, late.json()["detail"]) == (408, "no mail within 0.05 s")
        thread = waits(after=str(newest["number"]))
        send(host, mail("third"))
        thread.join(TIMEOUT)
        assert got[1].json()["summary"]["subject"] == "third"
