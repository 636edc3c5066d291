"""The guard of an inbox: which requests pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.container.host import Host, hosting
from support.inbox.host import api, inbox, url


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    section = {"address": "127.0.0.1:0", "allowed_hosts": ["mail.test"]}
    with hosting(tmp_path_factory.mktemp("guarded"), inbox=section, smtp=None) as host:
        yield host


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


def test_a_link_from_anywhere_leads_to_the_page_alone(guarded: Host) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    with api(guarded) as client:
        page = url(guarded)
        assert client.get(f"{page}/", headers=link).status_code == 200
        assert client.get("messages", headers=link).status_code == 403
        assert client.get(f"{page}/", headers=link | {"Sec-Fetch-Dest": "iframe"}).status_code == 403
        assert client.get(f"{page}/main.js", headers=link).status_code == 403


def test_an_address_that_others_reach_is_a_warning(tmp_path: Path) -> None:
    with inbox(tmp_path, address="0.0.0.0:0") as (host, client):
        (line,) = host.wait_for("other machines can read and delete the inbox's mail")
        assert line["level"] == "warn"
        assert client.get("info").status_code == 200
