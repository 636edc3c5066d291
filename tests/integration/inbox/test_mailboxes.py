"""Mailboxes of a real host: named by what clients say, and each seen by its token alone."""

from __future__ import annotations

import json
import smtplib
from pathlib import Path

import pytest
from support.container.host import Host
from support.inbox.host import inbox, mail, send
from support.inbox.stream import streaming, take

from rrpy.container.passwords import token_hash


def send_as(host: Host, user: str, subject: str) -> None:
    with smtplib.SMTP(*host.smtp) as client:
        client.login(user, "any")
        client.sendmail("a@b.c", "x@y.z", mail(subject).as_bytes())


def test_a_token_sees_waits_for_follows_and_deletes_the_mail_of_its_user_alone(tmp_path: Path) -> None:
    tokens = {
        name: {"token": token_hash(f"rrpy_{name}"), **({"mailbox": name} if name != "all" else {})}
        for name in ("one", "two", "all")
    }
    with inbox(tmp_path, {"max_recipients": 1}, mailbox_by="username", tokens=tokens) as (host, client):

        def ask(token: str, path: str, method: str = "GET") -> object:
            headers = {"Authorization": f"Bearer rrpy_{token}"}
            answer = client.request(method, path, headers=headers)
            return answer.json() if answer.status_code == 200 else answer.status_code

        with streaming(host, token="rrpy_one") as events:
            take(events, "reset")
            send_as(host, "TWO", "for two")
            send_as(host, "one", "for one")
            assert json.loads(take(events, "message")["data"])["subject"] == "for one", "nothing of the other before"
        mailboxes = ask("all", "mailboxes")
        assert isinstance(mailboxes, dict)
        assert [each["name"] for each in mailboxes["mailboxes"]] == ["one", "two", "default"]
        waited = ask("two", "wait?subject=for&timeout=0")
        assert isinstance(waited, dict)
        assert waited["summary"]["subject"] == "for two"
        assert ask("one", f"messages/{waited['summary']['id']}") == 404
        assert ask("one", "messages?mailbox=two") == 403
        assert ask("one", "connections") == 403
        assert ask("one", "messages", "DELETE") == {"deleted": 1}
        left = ask("all", "messages")
        assert isinstance(left, dict)
        assert [each["mailbox"] for each in left["messages"]] == ["two"]
        with smtplib.SMTP(*host.smtp) as session:
            session.login("two", "any")
            session.sendmail("a@b.c", ["x@y.z", "z@y.z"], mail("again").as_bytes())
        assert [_total(ask(token, "refusals")) for token in ("one", "two", "all")] == [0, 1, 1]


def _total(found: object) -> int:
    assert isinstance(found, dict)
    return int(found["total"])


@pytest.mark.parametrize("path", ["", "inbox.db"], ids=["memory", "file"])
def test_a_header_names_the_mailbox_and_the_file_keeps_it(path: str, tmp_path: Path) -> None:
    file = str(tmp_path / path) if path else ""
    for _ in range(2 if path else 1):
        with inbox(tmp_path, mailbox_by="header:X-Test-Id", path=file) as (host, client):
            message = mail("Hello")
            message["X-Test-Id"] = "=?utf-8?q?Gr=C3=BCn?= 7"
            send(host, message.as_bytes())
            send(host, mail("other"))
            total = client.get("messages", params={"mailbox": "GRÜN 7"}).json()["total"]
            names = {each["name"]: each["messages"] for each in client.get("mailboxes").json()["mailboxes"]}
            assert names == {"grün 7": total, "default": total}
    assert total == (2 if path else 1)
