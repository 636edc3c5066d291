"""The requests of an inbox: errors, methods, headers, and its own document."""

from __future__ import annotations

import re
import smtplib
import socket
from pathlib import Path

import jsonschema
import pytest
from support.inbox.host import address, inbox, mail, relay_of, send, url
from support.smtp_plugin.client import BlockingClient
from support.waiting import TIMEOUT

from rrpy.inbox.feed import EVENTS
from rrpy.inbox.web.application import STATIC, TYPES
from rrpy.inbox.web.guard import PAGE_POLICY
from rrpy.inbox.web.routes import ROUTES

pytestmark = pytest.mark.usefixtures("measured")


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
            (
                "GET",
                "wait?too=x",
                400,
                "wait takes to, from, subject, body, header, after, order, count, claim, none, ",
            ),
            ("GET", "wait?order=random", 400, "order is 'random'; it is newest or oldest"),
            ("GET", "wait?after=later", 400, "after is 'later'; it is a number, now or latest"),
            ("GET", "wait?body=~(", 400, "body is not a regular expression of RE2: missing ): ("),
            ("GET", "wait?header=x%20y", 400, "header is 'x y'; it is `Name: value`, such as `X-Tag: welcome`"),
            ("GET", "wait?none=1&timeout=3", 400, "timeout does not go with none, which takes within"),
            ("GET", "messages?serach=x", 400, "messages takes mailbox, limit, before and search, not serach"),
            ("DELETE", "messages?befor=5", 400, "messages takes mailbox, id, search and before, not befor"),
            ("GET", "messages/latest/raw?x=1", 400, "messages/{id}/raw takes mailbox, not x"),
            ("GET", "stream?x=1", 400, "stream takes mailbox and last_event_id, not x"),
            ("GET", "info?x=1", 400, "info takes no parameters, not x"),
            ("GET", "nothing", 404, "there is nothing at /api/v1/nothing; /api/v1/openapi.json describes the API"),
            ("GET", "messages/", 404, "there is nothing at /api/v1/messages/"),
            ("PUT", "messages", 405, "/api/v1/messages does not take PUT"),
        ):
            answer = client.request(method, path)
            assert answer.headers["Content-Type"] == "application/problem+json", path
            assert (answer.status_code, answer.json()["status"]) == (status, status), path
            assert answer.json()["detail"].startswith(detail), path
        allow = client.put("messages").headers["Allow"]
        assert set(allow.split(", ")) == {"GET", "HEAD", "POST", "DELETE", "PATCH"}


def test_head_gives_the_headers_alone(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        send(host, mail(html="<p>Hi</p>"))
        for path in ("messages", "messages/latest", "messages/latest/raw", "messages/latest/html", "info", url(host)):
            whole, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["Content-Length"] == str(len(whole.content))
        assert client.head("wait", params={"timeout": "300"}).status_code == 200
        assert client.head("stream").headers["Content-Type"] == "text/event-stream; charset=utf-8"


def test_what_is_no_whole_request_deletes_nothing(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        send(host, mail("kept"))
        with socket.create_connection(address(host), TIMEOUT) as broken:
            broken.sendall(
                b"DELETE /api/v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"
            )
            with broken.makefile("rb") as answer:
                assert b" 400 " in answer.readline()
                answer.read()
        assert client.get("messages").json()["total"] == 1


def test_a_client_that_breaks_its_own_request_is_no_fault_of_ours(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, _):
        head = "GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        with socket.create_connection(address(host), TIMEOUT) as client:
            client.sendall(head.encode() + b"ZZZ\r\n")
            said = b""
            while piece := client.recv(65536):
                said += piece
        assert b" 400 " in said.partition(b"\r\n")[0]
        assert host.stop() == 0
        assert not [line for line in host.lines if line.get("level") in ("warn", "warning", "error")], host.lines[-20:]


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
            assert headers["Referrer-Policy"] == ("no-referrer" if path in of_mail else "same-origin")
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
    message = mail("Hello", "Your code is 471100.\n", html="<p>Hi</p>")
    message.add_attachment(b"1234", maintype="application", subtype="pdf", filename="x.pdf")
    (tmp_path / "relay").mkdir()
    with (
        inbox(tmp_path / "relay") as (real, _),
        inbox(tmp_path, relay=relay_of(real)) as (host, client),
        BlockingClient(host.smtp) as telnet,
    ):
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
        values = {"id": "latest", "number": str(number), "uuid": connection["uuid"], "name": "default", "rule": "2"}
        bodies = {
            "release": {"to": ["ann@example.com"]},
            "add_rule": {"preset": "full"},
            "set_rules": {"rules": [{"preset": "full"}]},
        }
        last = {
            "delete_messages": 1,
            "delete_mailbox": 2,
            "delete": -1,
            "release": -2,
        }  # what empties the inbox comes last
        checked = 0
        for route in sorted(ROUTES, key=lambda route: (route.method != "GET", last.get(route.name, 0))):
            operation = document["paths"][f"/api/v1{route.path}"][route.method.lower()]
            names = set(re.findall(r"{(\w+)}", route.path))
            assert names == {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            path = route.path.format_map(values).lstrip("/")
            answer = (
                client.head(path)
                if route.name == "stream"
                else client.post(path, content=message.as_bytes())
                if route.name == "post"
                else client.request(route.method, path, json=bodies.get(route.name))
            )
            assert str(answer.status_code) == str(route.answer.status), route
            assert set(operation["responses"]) >= {str(answer.status_code), "400", "403", "500"}
            if answer.status_code == 204:
                continue
            ((media, content),) = operation["responses"][str(answer.status_code)]["content"].items()
            assert answer.headers["Content-Type"].partition(";")[0] == media or media == "*/*"
            if media == "application/json":
                schema = {**content["schema"], "components": document["components"]}
                jsonschema.validate(answer.json(), schema, jsonschema.Draft202012Validator)
                checked += 1
        assert checked == 21
        problem = {"$ref": "#/components/schemas/ProblemBody", "components": document["components"]}
        jsonschema.validate(client.get("messages/latest").json(), problem, jsonschema.Draft202012Validator)
