"""Mailpit's REST API below `/mailpit`: its shapes, and its client libraries from npm."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.container.host import Host
from support.inbox.host import inbox, mail, send, url
from support.smtp_plugin.clients_list import node_path
from support.waiting import TIMEOUT, eventually

from rrpy.container.passwords import token_hash

SCRIPTS = Path(__file__).parents[2] / "support" / "inbox" / "mailpit"
ID = "01234567-89ab-7def-8123-456789abcdef"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with inbox(tmp_path_factory.mktemp("mailpit")) as (host, _):
        yield host


@pytest.fixture
def mailpit(host: Host) -> Iterator[httpx.Client]:
    """A client of an empty inbox."""
    with httpx.Client(base_url=f"{url(host)}/mailpit/", timeout=TIMEOUT, trust_env=False) as client:
        client.delete("api/v1/messages")
        yield client


def arrived(client: httpx.Client, count: int = 1) -> list[dict[str, Any]]:
    def messages() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get("api/v1/messages").json()["messages"]
        return found

    eventually(lambda: len(messages()) == count)
    return messages()


def rich() -> EmailMessage:
    message = mail(
        "Grüße", "See https://shop.example/text\n", '<a href="https://shop.example/a">go</a><img src="cid:i">'
    )
    message["Cc"], message["Reply-To"], message["Message-ID"] = (
        "C <c@example.com>",
        "r@example.com",
        "<one@example.com>",
    )
    message["Date"] = "Mon, 30 Nov 2026 10:00:00 +0100"
    message["List-Unsubscribe"] = "<https://shop.example/u>, <mailto:u@example.com>"
    html = message.get_body(("html",))
    assert isinstance(html, EmailMessage)
    html.add_related(b"GIF89a", "image", "gif", cid="<i>", filename="i.gif", disposition="inline")
    message.add_attachment(b"%PDF-1", "application", "pdf", filename="a.pdf")
    return message


def person(address: str, name: str = "") -> dict[str, str]:
    return {"Name": name, "Address": address}


def test_a_list_and_a_message_have_mailpits_shapes(host: Host, mailpit: httpx.Client) -> None:
    send(host, rich(), to=["bob@example.com", "hidden@example.com"])
    (listed,) = arrived(mailpit)
    whole = mailpit.get("api/v1/messages").json()
    assert {**whole, "messages": []} == {
        "total": 1,
        "unread": 1,
        "count": 1,
        "messages_count": 1,
        "messages_unread": 1,
        "start": 0,
        "tags": [],
        "messages": [],
    }
    shared = {
        "ID": listed["ID"],
        "MessageID": "one@example.com",
        "From": person("ann@example.com", "Ann"),
        "To": [person("bob@example.com", "Bob")],
        "Cc": [person("c@example.com", "C")],
        "Bcc": [person("hidden@example.com")],
        "ReplyTo": [person("r@example.com")],
        "Subject": "Grüße",
        "Username": "",
        "Tags": [],
        "Size": listed["Size"],
    }
    summary = {
        "Read": False,
        "Created": listed["Created"],
        "Attachments": 1,
        "Snippet": "See https://shop.example/text",
    }
    assert listed == shared | summary
    got = mailpit.get("api/v1/message/latest").json()
    gif, pdf = got["Inline"][0], got["Attachments"][0]
    assert (gif["FileName"], gif["ContentType"], gif["ContentID"], gif["Size"]) == ("i.gif", "image/gif", "i", 6)
    assert pdf == {
        "PartID": pdf["PartID"],
        "FileName": "a.pdf",
        "ContentType": "application/pdf",
        "ContentID": "",
        "Size": 6,
        "Checksums": {each.upper(): hashlib.new(each, b"%PDF-1").hexdigest() for each in ("md5", "sha1", "sha256")},
    }
    assert {**got, "Inline": [], "Attachments": []} == shared | {
        "ReturnPath": "a@b.c",
        "Date": "2026-11-30T10:00:00+01:00",
        "ListUnsubscribe": {
            "Header": "<https://shop.example/u>, <mailto:u@example.com>",
            "Links": ["https://shop.example/u", "mailto:u@example.com"],
            "Errors": "",
            "HeaderPost": "",
        },
        "Text": "See https://shop.example/text\n",
        "HTML": got["HTML"],
        "Inline": [],
        "Attachments": [],
    }
    assert mailpit.get("api/v1/messages").json()["unread"] == 0, "who reads a message marks it"


def test_parts_headers_source_and_links(host: Host, mailpit: httpx.Client) -> None:
    send(host, rich())
    (listed,) = arrived(mailpit)
    place = f"api/v1/message/{listed['ID']}"
    number = mailpit.get(place).json()["Attachments"][0]["PartID"]
    part = mailpit.get(f"{place}/part/{number}")
    assert (part.content, part.headers["content-type"]) == (b"%PDF-1", "application/pdf")
    assert "sandbox" in part.headers["content-security-policy"]
    headers = mailpit.get(f"{place}/headers").json()
    assert headers["Message-Id"] == ["<one@example.com>"]
    assert headers["Subject"] == ["=?utf-8?q?Gr=C3=BC=C3=9Fe?="], "they are encoded, as Go reads them"
    assert list(headers) == sorted(headers)
    raw = mailpit.get(f"{place}/raw")
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
    assert raw.content.startswith(b"From: Ann")
    assert mailpit.get(f"{place}/link-check").json() == {
        "Errors": 0,
        "Links": [
            {"URL": each, "StatusCode": 0, "Status": "not requested"}
            for each in ("https://shop.example/a", "https://shop.example/text", "https://shop.example/u")
        ],
    }
    html = mailpit.get(f"view/{listed['ID']}.html")
    assert 'href="https://shop.example/a"' in html.text
    assert html.headers["content-security-policy"] == "sandbox; default-src 'none'", "it is the text of a stranger"
    assert mailpit.get("view/latest.txt").text == "See https://shop.example/text\n"


def test_lists_have_pages_and_searches_have_mailpits_words(host: Host, mailpit: httpx.Client) -> None:
    for number in range(5):
        send(host, mail(f"Mail {number}"), to=f"to{number}@example.com")
    arrived(mailpit, 5)

    def found(query: str, **more: int) -> tuple[list[str], int, int]:
        answer = mailpit.get("api/v1/search", params={"query": query, **more}).json()
        return [each["Subject"] for each in answer["messages"]], answer["messages_count"], answer["messages_unread"]

    page = mailpit.get("api/v1/messages", params={"start": 1, "limit": 2}).json()
    assert [each["Subject"] for each in page["messages"]] == ["Mail 3", "Mail 2"]
    assert (page["start"], page["count"], page["messages_count"]) == (1, 2, 5)
    assert found("subject:mail", start=3, limit=1) == (["Mail 1"], 5, 5)
    mailpit.put("api/v1/messages", json={"Read": True, "Search": 'subject:"Mail 4"'})
    for query, subjects in {
        'subject:"mail 1"': ["Mail 1"],
        '"subject:mail 1"': ["Mail 1"],
        "to:to2@example.com": ["Mail 2"],
        "!to:to2@example.com -to:to3@example.com is:unread": ["Mail 1", "Mail 0"],
        "is:read": ["Mail 4"],
        "has:attachments": [],
        "tag:x": [],
        "-tag:x subject:3": ["Mail 3"],
        "cc:nobody": [],
        "from:ann mail 0": ["Mail 0"],
    }.items():
        assert found(query)[0] == subjects, query
    for query in ("addressed:x", "has:inline", "", "before:soon"):
        assert mailpit.get("api/v1/search", params={"query": query}).status_code == 400, query
    latest = mailpit.get("api/v1/message/latest", params={"query": "subject:2"}).json()
    assert latest["Subject"] == "Mail 2"


def test_changes_are_for_ids_for_a_search_or_for_all(host: Host, mailpit: httpx.Client) -> None:
    for number in range(4):
        send(host, mail(f"Mail {number}"))
    ids = {each["Subject"]: each["ID"] for each in arrived(mailpit, 4)}

    def change(method: str, path: str = "messages", **more: Any) -> tuple[int, str]:
        answer = mailpit.request(method, f"api/v1/{path}", **more)
        return answer.status_code, answer.text

    def unread() -> int:
        count: int = mailpit.get("api/v1/messages").json()["unread"]
        return count

    assert change("PUT", json={"IDs": [ids["Mail 1"]], "Read": True}) == (200, "ok")
    assert unread() == 3
    assert change("PUT", json={"Read": True}) == (200, "ok")
    assert unread() == 0
    assert change("PUT", json={}) == (200, "ok")
    assert unread() == 4
    assert change("PUT", json={"IDs": ["x"], "Search": "y"})[0] == 400
    assert change("DELETE", json={"IDs": [ids["Mail 0"], "unknown"]}) == (200, "ok")
    assert change("DELETE", "search", params={"query": "subject:1"}) == (200, "ok")
    assert change("DELETE", "search", params={"query": "tag:1"}) == (200, "ok")
    assert len(arrived(mailpit, 2)) == 2
    assert change("DELETE", content=b"{broken")[0] == 400, "a broken list of ids is not all messages"
    assert change("DELETE", "search")[0] == 400
    assert len(arrived(mailpit, 2)) == 2
    assert change("DELETE") == (200, "ok")
    arrived(mailpit, 0)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"api/v1/message/{ID}", 404),
        ("GET", "api/v1/message/latest", 404),
        ("GET", "view/latest.html", 404),
        ("PUT", "api/v1/tags", 501),
        ("POST", f"api/v1/message/{ID}/release", 501),
        ("GET", f"api/v1/message/{ID}/html-check", 501),
        ("GET", f"api/v1/message/{ID}/sa-check", 501),
        ("GET", "api/v1/chaos", 501),
        ("POST", "api/v1/send", 400),
    ],
)
def test_what_is_absent_or_not_served_says_so(method: str, path: str, status: int, mailpit: httpx.Client) -> None:
    answer = mailpit.request(method, path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)


@pytest.mark.parametrize(
    "change",
    [
        {"From": {"Email": "a@b.c\r\nBcc: x@y.z"}},
        {"From": {"Email": "a@b.c"}, "Subject": "a\r\nb"},
        {"From": {"Email": "a@b.c"}, "Headers": {"X": "a\nb"}},
        {"From": {"Email": "a@b.c"}, "Headers": {"X y": "a"}},
        {"From": {"Email": ""}},
        {"From": {"Email": "a@b.c"}, "Attachments": [{"Content": "%", "Filename": "a"}]},
        {"From": {"Email": "a@b.c"}, "Attachments": [{"Content": "", "Filename": "a", "ContentType": "text/\r\nx"}]},
        {},
    ],
)
def test_a_message_that_cannot_be_is_refused(change: dict[str, Any], mailpit: httpx.Client) -> None:
    body = {"To": [{"Email": "x@example.com"}], **change}
    answer = mailpit.post("api/v1/send", json=body)
    assert answer.status_code == 400, answer.text
    assert "the body is not a message" in answer.json()["detail"]
    arrived(mailpit, 0)


def test_the_guard_and_the_login_stand_before_it(tmp_path: Path) -> None:
    tokens = {
        "all": {"token": token_hash("t" * 32)},
        "bob": {"token": token_hash("b" * 32), "mailbox": "bob@example.com"},
    }
    with inbox(tmp_path, tokens=tokens, mailbox_by="recipient") as (host, client):
        client.base_url = f"{url(host)}/mailpit/api/v1/"
        whole, bobs = ({"Authorization": f"Bearer {each * 32}"} for each in "tb")
        for to in ("bob@example.com", "eve@example.com"):
            send(host, mail(f"To {to}"), to=to)
        assert client.get("messages").status_code == 401
        assert client.get("messages", headers=whole | {"Host": "evil.example"}).status_code == 403
        assert client.delete("messages", headers=whole | {"Sec-Fetch-Site": "cross-site"}).status_code == 403
        eventually(lambda: client.get("messages", headers=whole).json()["total"] == 2)
        eves = client.get("message/latest", headers=whole).json()["ID"]
        assert client.get("messages", headers=bobs).json()["total"] == 1
        assert client.get("info", headers=bobs).json()["Messages"] == 1
        assert client.get(f"message/{eves}", headers=bobs).status_code == 404
        sent = client.post(
            "send", headers=bobs, json={"From": {"Email": "a@b.c"}, "To": [{"Email": "eve@example.com"}]}
        )
        assert client.get(f"message/{sent.json()['ID']}", headers=bobs).status_code == 200, "it stands in his mailbox"
        assert client.delete("messages", headers=bobs).text == "ok"
        assert [each["ID"] for each in client.get("messages", headers=whole).json()["messages"]] == [eves]


def script(name: str, package: str, *arguments: str) -> dict[str, Any]:
    """Run a script of node that uses a package of npm; return what it shows, by name."""
    environ = {**os.environ, "NODE_PATH": node_path()}
    known = subprocess.run(["node", "-p", f"require.resolve('{package}')"], env=environ, capture_output=True)
    if known.returncode:
        reason = f"needs {package} from npm, which node does not find (NODE_PATH)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    ran = subprocess.run(
        ["node", str(SCRIPTS / name), *arguments], env=environ, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(line) for line in ran.stdout.splitlines())


@pytest.mark.program("node")
def test_mailpit_api_of_npm_works(host: Host, mailpit: httpx.Client) -> None:
    shown = script("api.cjs", "mailpit-api", f"{url(host)}/mailpit")
    waited, listed = shown.pop("waited"), shown.pop("listed")
    assert waited["From"] == person("ann@example.com", "Ann Ö")
    assert waited["Bcc"] == [person("hidden@example.com")]
    assert listed["messages"][0]["Snippet"] == "Your code is 123456"
    assert shown == {
        "sent": "string",
        "same id": True,
        "headers": ["one"],
        "attachment": ["application/pdf", "%PDF-1"],
        "source": True,
        "links": {
            "Errors": 0,
            "Links": [{"URL": "https://shop.example/a?b=1", "StatusCode": 0, "Status": "not requested"}],
        },
        "html": '<p>See <a href="https://shop.example/a?b=1">this</a></p>\r\n',
        "text": "Your code is 123456\r\n",
        "tags": [],
        "unread": 0,
        "marked": "ok",
        "unread again": 1,
        "info": 1,
        "web ui": False,
        "not served": "Mailpit API Error: 501",
        "other": "ok",
        "deleted": "ok",
        "left": 0,
    }


@pytest.mark.program("node")
def test_the_commands_of_cypress_mailpit_work(host: Host, mailpit: httpx.Client) -> None:
    assert script("cypress.cjs", "cypress-mailpit", f"{url(host)}/mailpit") == {
        "subject": "Hello Mailpit",
        "from": "from@example.com",
        "to": ["jane@example.com"],
        "bcc": ["bcc@example.com"],
        "html": "<p>hello from mailpit</p>\r\n",
        "text": "hello from mailpit\r\n",
        "attachments": [],
        "unread": 1,
        "all read": 0,
        "left": 0,
    }
