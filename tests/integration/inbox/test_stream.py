"""The stream of events, and the connections in it."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from support.container.host import hosting
from support.inbox.host import address, api, inbox, mail, send
from support.inbox.stream import followed, streaming, take
from support.smtp_plugin.client import BlockingClient
from support.waiting import TIMEOUT, eventually


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
            with BlockingClient(host.smtp):
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


def test_mail_from_before_the_stream_is_not_an_event_of_it(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, _):
        for subject in ("old", "older"):
            send(host, mail(subject))
        with streaming(host) as events:
            take(events, "reset")
            send(host, mail("new"))
            assert json.loads(take(events, "message")["data"])["subject"] == "new"


def test_a_message_that_was_deleted_is_told_to_nobody_any_more(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        with client.stream("GET", "stream") as stream:
            boot = next(line for line in stream.iter_lines() if line.startswith("id: ")).split()[1].partition("-")[0]
        for subject in ("secret one", "secret two"):
            send(host, mail(subject))
        client.delete("messages/latest").raise_for_status()
        sent = followed(client, f"{boot}-0", "deleted")
        assert "secret one" in sent
        assert "secret two" not in sent
        client.delete("messages").raise_for_status()
        assert "secret" not in followed(client, f"{boot}-0", "reset")


def test_a_host_that_stops_ends_those_who_wait(tmp_path: Path) -> None:
    with hosting(tmp_path, inbox={"address": "127.0.0.1:0"}) as host:
        with (
            streaming(host) as events,
            socket.create_connection(address(host), TIMEOUT) as stuck,
            socket.create_connection(address(host), TIMEOUT) as waiting,
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


def test_live_connections_are_listed_and_closed(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client), BlockingClient(host.smtp) as telnet:
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
