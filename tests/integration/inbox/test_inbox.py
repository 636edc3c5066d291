"""The inbox's API, beside a real host and real clients."""

from __future__ import annotations

import json
import re
import resource
import signal
import smtplib
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from base64 import encodebytes
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from support.container.host import PATIENCE, Host, Telnet, eventually, hosting, run, write
from support.inbox.host import api, inbox, mail, send, url
from support.worker.delivery import SUPPORT

from rrpy.inbox.application import STATIC, TYPES
from rrpy.inbox.feed import EVENTS
from rrpy.inbox.guard import PAGE_POLICY
from rrpy.inbox.routes import ROUTES


def test_a_message_is_there_when_its_client_has_its_250(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        for number in range(20):
            send(host, mail(f"number {number}"))
            (newest, *_) = client.get("messages").json()["messages"]
            assert newest["subject"] == f"number {number}"


def test_many_who_look_at_a_mail_with_images_hold_up_neither_each_other_nor_the_mail(tmp_path: Path) -> None:
    message = mail("Picture", html='<img src="cid:one">')
    message.get_payload(1).add_related(b"GIF89a", "image", "gif", cid="<one>")  # type: ignore[union-attr]
    with inbox(tmp_path) as (host, client), ExitStack() as clients:
        send(host, message)
        there = (client.base_url.host, client.base_url.port)
        page = f"/api/v1/messages/{client.get('messages').json()['messages'][0]['id']}/html"
        get = f"GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        asked = [clients.enter_context(socket.create_connection(there, PATIENCE)) for _ in range(100)]
        for each in asked:
            each.sendall(get.encode())
        send(host, mail("meanwhile"))
        for each in asked:
            with each.makefile("rb") as answer:
                assert b" 200 " in answer.readline()
                assert b"data:image/gif;base64," in answer.read()


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


def test_a_message_that_was_deleted_is_told_to_nobody_any_more(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        with client.stream("GET", "stream") as stream:
            boot = next(line for line in stream.iter_lines() if line.startswith("id: ")).split()[1].partition("-")[0]
        for subject in ("secret one", "secret two"):
            send(host, mail(subject))
        client.delete("messages/latest").raise_for_status()
        told = followed(client, f"{boot}-0", "deleted")
        assert "secret one" in told
        assert "secret two" not in told
        client.delete("messages").raise_for_status()
        assert "secret" not in followed(client, f"{boot}-0", "reset")


def followed(client: httpx.Client, place: str, until: str) -> str:
    """Return what the stream tells behind a place, up to an event."""
    told = ""
    with client.stream("GET", "stream", headers={"Last-Event-ID": place}) as stream:
        for line in stream.iter_lines():
            told += line + "\n"
            if f"event: {until}\n" in told and not line:
                break
    return told


def test_a_search_has_a_limit(tmp_path: Path) -> None:
    with inbox(tmp_path) as (_, client):
        assert client.get("messages", params={"search": "a " * 128}).status_code == 200
        answer = client.get("messages", params={"search": "a " * 129})
        assert (answer.status_code, answer.json()["detail"]) == (400, "search: at most 256 characters")


def test_what_is_no_whole_request_deletes_nothing(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        send(host, mail("kept"))
        with socket.create_connection((client.base_url.host, client.base_url.port), PATIENCE) as broken:
            broken.sendall(
                b"DELETE /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"
            )
            with broken.makefile("rb") as answer:
                assert b" 400 " in answer.readline()
                answer.read()
        assert client.get("messages").json()["total"] == 1


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
        }  # fmt: skip
        whole = client.get(f"messages/{listed['id']}").json()
        assert whole["summary"] == listed
        assert (whole["text"], whole["html"]) == ("Hällo\r\n", "<b>Hällo</b>\r\n")
        assert whole["headers"]["To"] == ["Bob <bob@example.com>"]
        session = whole["session"]
        assert session["authentication"] == {"mechanism": "PLAIN", "username": "user", "password": "pass word"}
        assert (session["helo"], session["reply"]) == ("client.example", "OK: message accepted")
        assert session["transcript"][-1] == f"C: ({len(raw)} bytes of message)"
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
        for text in ('"', "*", "%", "a OR b", "'; DROP TABLE messages; --", "NEAR(", "\\", "-even"):
            assert found(text) == [], text


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
    with inbox(tmp_path, max_messages=3, max_bytes=20_000) as (host, client):

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

        thread = waits(to="TWO@example.com", subject="ORDER", **{"from": "a@b.c"})
        send(host, mail("second"), to="two@example.com")
        send(host, mail("My order"), to="three@example.com")
        send(host, mail("Your order 17"), to="two@example.com")
        thread.join(PATIENCE)
        assert got[0].json()["summary"]["subject"] == "Your order 17"
        # What is there already counts, the newest first; with `after` it does not.
        newest = client.get("wait", params={"timeout": 0}).json()["summary"]
        assert newest["subject"] == "Your order 17"
        assert client.get("wait", params={"to": "one@example.com", "timeout": "0"}).json()["summary"]["number"] == 1
        late = client.get("wait", params={"after": newest["number"], "timeout": 0.05})
        assert (late.status_code, late.json()["detail"]) == (404, "no message that fits arrived within 0.05 s")
        thread = waits(after=str(newest["number"]))
        send(host, mail("third"))
        thread.join(PATIENCE)
        assert got[1].json()["summary"]["subject"] == "third"


@contextmanager
def streaming(host: Host, last: str = "") -> Iterator[Iterator[dict[str, str]]]:
    """Follow the stream; yield its events one after the other."""

    def events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
        event: dict[str, str] = {}
        for line in lines:
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif event.keys() - {"retry"}:
                yield event
                event = {}
            else:
                event = {}

    headers = {"Last-Event-ID": last} if last else {}
    with api(host) as client, client.stream("GET", "stream", headers=headers) as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        yield events(response.iter_lines())


def take(events: Iterator[dict[str, str]], name: str) -> dict[str, str]:
    """Return the next event of this name, past what is told of connections."""
    for event in events:
        if event["event"] != "connections":
            assert event["event"] == name
            return event
    raise AssertionError("the stream ended")


def test_the_stream_tells_what_happens_and_goes_on_where_a_reader_was(tmp_path: Path) -> None:
    with inbox(tmp_path, max_messages=2) as (host, client):
        with streaming(host) as events:
            take(events, "reset")
            send(host, mail("one"))
            first = take(events, "message")
            assert json.loads(first["data"])["subject"] == "one"
        send(host, mail("two"))
        send(host, mail("three"))
        with streaming(host, first["id"]) as events:
            assert json.loads(take(events, "message")["data"])["subject"] == "two"
            assert json.loads(take(events, "message")["data"])["subject"] == "three"
            evicted = json.loads(take(events, "deleted")["data"])["ids"]
            assert evicted == [json.loads(first["data"])["id"]]
            client.delete("messages/latest")
            assert len(json.loads(take(events, "deleted")["data"])["ids"]) == 1
            client.delete("messages")
            take(events, "cleared")
            with Telnet(host.smtp):
                for event in events:
                    if event["event"] == "connections" and json.loads(event["data"]) == {"open": 1}:
                        break
        for unknown in (
            first["id"],
            "",
            "x",
            "ffffffff-1",
            f"{first['id']}9999999",
            first["id"].partition("-")[0] + "-" + "9" * 40,
        ):
            with streaming(host, unknown) as events:
                take(events, "reset")


def test_a_host_that_stops_ends_those_who_wait(tmp_path: Path) -> None:
    with hosting(tmp_path, inbox={"address": "127.0.0.1:0"}) as host:
        with (
            streaming(host) as events,
            socket.create_connection(address(host), PATIENCE) as stuck,
            socket.create_connection(address(host), PATIENCE) as waiting,
        ):
            take(events, "reset")
            stuck.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert stuck.recv(15) == b"HTTP/1.1 200 OK"
            waiting.sendall(b"GET /api/v1/wait?subject=never HTTP/1.1\r\nHost: localhost\r\n\r\n")
            send(host, mail())  # by its reply the request of before has been read
            began = time.monotonic()
            assert host.stop() == 0
            assert time.monotonic() - began < 10, "well within the grace period of 30 s"
            assert [event["event"] for event in events if event["event"] != "connections"] == ["message"]
            assert waiting.recv(12) == b"HTTP/1.1 503"
        assert not [line for line in host.lines if line.get("level") == "error"], host.lines[-5:]


def test_readers_of_the_stream_are_counted(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        readers = []
        try:
            for _ in range(100):
                reader = socket.create_connection(address(host))
                readers.append(reader)
                reader.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert reader.recv(15) == b"HTTP/1.1 200 OK"
            one_more = client.get("stream")
            assert (one_more.status_code, one_more.headers["Retry-After"]) == (503, "5")
        finally:
            for reader in readers:
                reader.close()
        eventually(lambda: client.head("stream").status_code == 200, "there is room again")


def address(host: Host) -> tuple[str, int]:
    name, _, port = url(host).removeprefix("http://").rpartition(":")
    return name, int(port)


def test_live_connections_are_listed_and_closed(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client), Telnet(host.smtp) as telnet:
        telnet.line()
        telnet.say("EHLO client.example")
        telnet.say("MAIL FROM:<ann@example.com>")
        telnet.say("RCPT TO:<bob@example.com>")
        (connection,) = client.get("connections").json()["connections"]
        assert connection == json.loads(host.rrpy("rpc", "smtp.ListConnections").stdout)[0]
        assert connection["from"] == "ann@example.com"
        assert client.delete(f"connections/{connection['uuid']}").status_code == 204
        assert telnet.rest().startswith("421 ")
        again = client.delete(f"connections/{connection['uuid']}")
        assert (again.status_code, again.json()["detail"]) == (404, "connection not found")
        assert client.get("connections").json() == {"connections": []}


def test_a_host_without_a_mail_server_has_an_empty_inbox(tmp_path: Path) -> None:
    with hosting(tmp_path, inbox={"address": "127.0.0.1:0"}, smtp=None) as host, api(host) as client:
        assert client.get("messages").json()["total"] == 0
        assert client.get("connections").json() == {"connections": []}
        info = client.get("info").json()
        assert (info["smtp_address"], info["connections"]) == ("", False)
        with streaming(host) as events:
            take(events, "reset")


def test_a_host_without_the_section_loads_nothing_of_it(tmp_path: Path) -> None:
    with hosting(tmp_path) as host:
        assert "inbox" not in host.wait_for("host is ready")[0]["plugins"]
    program = """import sys
from rrpy import Config, Container, default_plugins
Container([], Config.from_dict({"rpc": {}}), optional=default_plugins()).try_init()
print(sorted({"starlette", "uvicorn", "rrpy.inbox.api", "rrpy.inbox.store"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


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


def test_a_message_is_there_after_the_host_was_killed_behind_its_250(tmp_path: Path) -> None:
    keys = {"address": "127.0.0.1:0", "path": "inbox.db"}
    subjects: list[str] = []
    for round_ in range(3):
        write(tmp_path, inbox=keys)
        host = Host(tmp_path, ())
        try:
            host.ready()
            with api(host) as client:
                found = [each["subject"] for each in client.get("messages").json()["messages"]]
            assert found == subjects[::-1]
            with smtplib.SMTP(*host.smtp) as smtp:
                for number in range(5):
                    smtp.sendmail("a@b.c", "x@y.z", f"Subject: {round_}.{number}\n\n{'x' * 1000}\n")
                    subjects.append(f"{round_}.{number}")
                host.process.send_signal(signal.SIGKILL)
                host.process.wait(PATIENCE)
                smtp.close()
        finally:
            host.close()
    with inbox(tmp_path, path="inbox.db") as (_, client):
        assert client.get("messages").json()["total"] == 15
        assert client.get("messages/latest/raw").content.startswith(b"Subject: 2.4\r\n")


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    with inbox(tmp_path, path="inbox.db") as (host, _):
        send(host, mail())
        for file in tmp_path.glob("inbox.db*"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert [file.name for file in tmp_path.glob("inbox.db*")] == ["inbox.db"], "it is whole when the host has ended"


def test_a_message_that_cannot_be_kept_is_refused_for_a_while(tmp_path: Path) -> None:
    with inbox(tmp_path, path="inbox.db") as (host, client):
        # No room: a limit on the size of files is the nearest to a full disk.
        size = (tmp_path / "inbox.db-wal").stat().st_size
        resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (size + 4096, resource.RLIM_INFINITY))
        with smtplib.SMTP(*host.smtp) as smtp:
            with pytest.raises(smtplib.SMTPDataError) as refused:
                smtp.sendmail("a@b.c", "x@y.z", f"Subject: lost?\n\n{'x' * 200_000}\n")
            assert refused.value.smtp_code == 451
            assert client.get("messages").json()["total"] == 0
            failed = client.delete("messages")
            if failed.status_code != 200:  # whether an empty table needs room is SQLite's business
                assert failed.status_code == 503
                assert failed.json()["detail"].startswith("the inbox's database in inbox.path inbox.db failed: ")
            resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            smtp.sendmail("a@b.c", "x@y.z", f"Subject: kept\n\n{'x' * 200_000}\n")
        assert client.get("messages/latest").json()["summary"]["subject"] == "kept"


def refusal(folder: Path, **keys: Any) -> str:
    """Start a host that must not come up; return what it says on stderr."""
    write(folder, inbox={"address": "127.0.0.1:0", **keys}, logs={"level": "error", "encoding": "console"})
    result = run("serve", cwd=folder)
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_a_file_that_is_no_inbox_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is a text, and long enough to be one. " * 50)
    assert refusal(tmp_path, path="text.db").endswith("inbox.path text.db is not a SQLite database; name another file")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = (tmp_path / "other.db").read_bytes()
    assert refusal(tmp_path, path="other.db").endswith(
        "inbox.path other.db is a database of something else; name another file"
    )
    assert (tmp_path / "other.db").read_bytes() == before
    assert "cannot open inbox.path no/where.db: no such file or directory" in refusal(tmp_path, path="no/where.db")
    assert "cannot open inbox.path .: is a directory" in refusal(tmp_path, path=".")
    assert "inbox.address is 'x' in rr.yaml; it is written host:port" in refusal(tmp_path, address="x")
    assert "allowed_hosts: 'http://x' is no host name" in refusal(tmp_path, allowed_hosts=["http://x"])


def test_a_file_of_a_newer_host_is_left_alone(tmp_path: Path) -> None:
    with inbox(tmp_path, path="inbox.db"):
        pass
    newer = sqlite3.connect(tmp_path / "inbox.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    assert "inbox.path inbox.db was written by a newer rrpy (version 99" in refusal(tmp_path, path="inbox.db")


def test_a_file_belongs_to_one_host(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    path = str(tmp_path / "inbox.db")
    with inbox(first, path=path) as (host, client):
        said = refusal(second, path=path)
        assert said.endswith(f"inbox.path {path} is in use by another process; stop it, or name another file")
        send(host, mail())
        assert client.get("messages").json()["total"] == 1


def test_errors_are_problems_that_say_what_to_do(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        send(host, mail())
        without = client.get("messages/latest/html")
        assert (without.status_code, without.json()["detail"]) == (404, "the message has no HTML")
        client.delete("messages")
        for method, path, status, detail in (
            ("GET", "messages/latest", 404, "the inbox is empty"),
            ("GET", "messages/nope", 404, "there is no message nope"),
            ("GET", "messages/nope/raw", 404, "there is no message nope"),
            ("GET", "messages/nope/html", 404, "there is no message nope"),
            ("GET", "messages/nope/attachments/1", 404, "there is no attachment 1 of message nope"),
            ("GET", "messages?limit=0", 400, "limit is '0'; it is a whole number from 1 to 500"),
            ("GET", "messages?limit=1e9", 400, "limit is '1e9'; it is a whole number from 1 to 500"),
            ("GET", "messages?before=-1", 400, "before is '-1'; it is a whole number from 0 to 9223372036854775807"),
            ("GET", "messages?before=9223372036854775808", 400, "before is '9223372036854775808'; it is a whole"),
            ("GET", "wait?timeout=nan", 400, "timeout is 'nan'; it is a number of seconds from 0 to 300"),
            ("GET", "wait?timeout=x", 400, "timeout is 'x'; it is a number of seconds from 0 to 300"),
            ("GET", "wait?too=x", 400, "wait takes to, from, subject, after and timeout, not too"),
            ("GET", "nothing", 404, "there is nothing at /api/v1/nothing; the API is described at"),
            ("GET", "messages/", 404, "there is nothing at /api/v1/messages/"),
            ("POST", "messages", 405, "/api/v1/messages does not take POST"),
        ):
            answer = client.request(method, path)
            assert answer.headers["Content-Type"] == "application/problem+json", path
            assert (answer.status_code, answer.json()["status"]) == (status, status), path
            assert answer.json()["detail"].startswith(detail), path
        allow = client.put("messages").headers["Allow"]
        assert set(allow.split(", ")) == {"GET", "HEAD", "DELETE"}


def test_head_gives_the_headers_alone(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        send(host, mail(html="<p>Hi</p>"))
        for path in ("messages", "messages/latest", "messages/latest/raw", "messages/latest/html", "info", url(host)):
            whole, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["Content-Length"] == str(len(whole.content))
        assert client.head("wait", params={"timeout": "300"}).status_code == 200
        assert client.head("stream").headers["Content-Type"] == "text/event-stream; charset=utf-8"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "2130706433"}, 403),
        ({"Host": "evil.example:80@localhost"}, 400),
        ({"Host": ""}, 400),
        ({"Host": "localhost"}, 200),
        ({"Host": "LOCALHOST.:8025"}, 200),
        ({"Host": "inbox.localhost:1"}, 200),
        ({"Host": "[::1]:8025"}, 200),
        ({"Host": "10.1.2.3"}, 200),
        ({"Host": "mail.test"}, 200),
        ({"Host": "Mail.Test:443", "Origin": "https://mail.test:443"}, 200),
        ({"Host": "localhost:1", "Origin": "http://localhost:2"}, 403),
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
        ({"Host": "localhost", "Origin": "null"}, 403),
        ({"Host": "localhost", "Origin": ""}, 403),
        ({"Host": "localhost", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "localhost", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "localhost", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Host": "localhost", "Sec-Fetch-Site": "none"}, 200),
    ],
)
def test_who_may_ask(headers: dict[str, str], status: int, guarded: Host) -> None:
    with api(guarded) as client:
        for method, path in (
            ("GET", url(guarded)),
            ("GET", "info"),
            ("DELETE", "messages"),
            ("HEAD", "stream"),
            ("GET", "nothing"),
        ):
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == (404 if status == 200 and path == "nothing" else status), (method, path)
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    section = {"address": "127.0.0.1:0", "allowed_hosts": ["mail.test"]}
    with hosting(tmp_path_factory.mktemp("guarded"), inbox=section, smtp=None) as host:
        yield host


def test_a_link_from_anywhere_leads_to_the_page_alone(guarded: Host) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    with api(guarded) as client:
        page = url(guarded)
        assert client.get(f"{page}/", headers=link).status_code == 200
        assert client.get("messages", headers=link).status_code == 403
        assert client.get(f"{page}/", headers=link | {"Sec-Fetch-Dest": "iframe"}).status_code == 403
        assert client.get(f"{page}/main.js", headers=link).status_code == 403


def test_every_answer_says_what_a_browser_may_do_with_it(tmp_path: Path) -> None:
    message = mail(html="<p>Hi</p>")
    message.add_attachment("<script>alert(1)</script>", subtype="html", filename="x.html")
    with inbox(tmp_path) as (host, client):
        send(host, message)
        policies = {}
        page = url(host)
        of_mail = ["messages/latest/raw", "messages/latest/html", "messages/latest/attachments/1"]
        for path in (f"{page}/", f"{page}/main.js", "messages", "nothing", *of_mail):
            headers = client.get(path).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["X-DNS-Prefetch-Control"] == "off"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert headers["Cache-Control"] == ("no-cache" if path.startswith(page) else "no-store")
            policies[path] = headers["Content-Security-Policy"]
        for path, policy in policies.items():
            assert "default-src 'none'" in policy, path
            assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "") or path.endswith("html"), path
            assert ("sandbox" in policy) == ("latest" in path), path
        assert "script-src" not in policies["messages/latest/html"]


def test_every_file_of_the_page_has_its_type_and_its_policy_and_is_asked_for_anew(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        for file in STATIC.iterdir():
            path = f"{url(host)}/{'' if file.name == 'index.html' else file.name}"
            answer = client.get(path)
            assert answer.content == file.read_bytes(), path
            assert answer.headers["Content-Type"] == TYPES[file.suffix]
            assert answer.headers["Content-Security-Policy"] == PAGE_POLICY
            assert answer.headers["Cache-Control"] == "no-cache"
            again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
            assert (again.status_code, again.content) == (304, b"")


def test_the_document_describes_every_route_and_what_it_answers(tmp_path: Path) -> None:
    message = mail("Hello", html="<p>Hi</p>")
    message.add_attachment(b"1234", maintype="application", subtype="pdf", filename="x.pdf")
    with inbox(tmp_path) as (host, client), Telnet(host.smtp) as telnet:
        telnet.line()
        with smtplib.SMTP(*host.smtp) as smtp:
            smtp.login("user", "password")
            smtp.send_message(message)
        document = client.get("openapi.json").json()
        assert document["openapi"] == "3.1.0"
        described = {(method.upper(), path) for path, found in document["paths"].items() for method in found}
        assert described == {(route.method, f"/api/v1{route.path}") for route in ROUTES}
        assert all(f"`{name}`" in document["paths"]["/api/v1/stream"]["get"]["description"] for name in EVENTS)
        number = client.get("messages/latest").json()["summary"]["number"]
        (connection, *_) = client.get("connections").json()["connections"]
        values = {"id": "latest", "number": str(number), "uuid": connection["uuid"]}
        last = {"clear": 1, "delete": -1}  # what empties the inbox comes last
        checked = 0
        for route in sorted(ROUTES, key=lambda route: (route.method != "GET", last.get(route.name, 0))):
            operation = document["paths"][f"/api/v1{route.path}"][route.method.lower()]
            names = set(re.findall(r"{(\w+)}", route.path))
            assert names == {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            path = route.path.format_map(values).lstrip("/")
            answer = client.head(path) if route.name == "stream" else client.request(route.method, path)
            assert str(answer.status_code) == str(route.answer.status), route
            assert set(operation["responses"]) >= {str(answer.status_code), "400", "403", "500"}
            if answer.status_code == 204:
                continue
            ((media, content),) = operation["responses"][str(answer.status_code)]["content"].items()
            assert answer.headers["Content-Type"].partition(";")[0] == media
            if media == "application/json":
                schema = {**content["schema"], "components": document["components"]}
                jsonschema.validate(answer.json(), schema, jsonschema.Draft202012Validator)
                checked += 1
        assert checked == 7
        problem = {"$ref": "#/components/schemas/ProblemBody", "components": document["components"]}
        jsonschema.validate(client.get("messages/latest").json(), problem, jsonschema.Draft202012Validator)


def test_an_address_that_others_reach_is_a_warning(tmp_path: Path) -> None:
    with inbox(tmp_path, address="0.0.0.0:0") as (host, client):
        (line,) = host.wait_for("other machines can read and delete the inbox's mail")
        assert line["level"] == "warn"
        assert client.get("info").status_code == 200


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
        assert longest < PATIENCE


def test_a_client_that_breaks_its_own_request_is_no_fault_of_ours(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, _):
        where, _, port = url(host).removeprefix("http://").rpartition(":")
        head = f"GET /api/v1/stream HTTP/1.1\r\nHost: {where}:{port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        with socket.create_connection((where, int(port)), PATIENCE) as client:
            client.sendall(head.encode() + b"ZZZ\r\n")
            said = b""
            while piece := client.recv(65536):
                said += piece
        assert b" 400 " in said.partition(b"\r\n")[0]
        assert host.stop() == 0
        assert not [line for line in host.lines if line.get("level") in ("warn", "warning", "error")], host.lines[-20:]
