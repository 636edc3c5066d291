"""The guard of an inbox: which requests pass."""

from __future__ import annotations

import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.container.host import Host, hosting
from support.inbox.host import address, api, inbox, url
from support.waiting import TIMEOUT


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    section = {"address": "127.0.0.1:0", "allowed_hosts": ["mail.test", "inbox", "*.wild.test"]}
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
        ({"Host": "a.wild.test"}, 200),
        ({"Host": "a.B.Wild.Test.:80"}, 200),
        ({"Host": "wild.test"}, 403),
        ({"Host": "evilwild.test"}, 403),
        ({"Host": "a.wild.test.evil.example"}, 403),
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


UPSTREAM = {"Host": "127.0.0.1:8025"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        # The browser says that the page is the inbox's own.
        (UPSTREAM | {"Origin": "http://localhost:8081", "Sec-Fetch-Site": "same-origin"}, 200),
        (UPSTREAM | {"Origin": "https://any.example:8443", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Host": "localhost", "Origin": "https://localhost:8443", "Sec-Fetch-Site": "same-origin"}, 200),
        # Over plain HTTP it does not: the configuration names the page.
        (UPSTREAM | {"Origin": "http://mail.test"}, 200),
        (UPSTREAM | {"Origin": "http://Mail.Test.:8081"}, 200),
        (UPSTREAM | {"Origin": "http://a.wild.test"}, 200),
        ({"Host": "inbox:8025", "Origin": "http://mail.test"}, 200),
        (UPSTREAM | {"Origin": "http://mail.test", "Referer": "http://mail.test/"}, 200),
        (UPSTREAM | {"Referer": "http://a.wild.test/inbox/"}, 200),
        # Another site.
        (UPSTREAM | {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        (UPSTREAM | {"Origin": "http://evil.example", "Sec-Fetch-Site": "none"}, 403),
        (UPSTREAM | {"Origin": "http://evil.example"}, 403),
        (UPSTREAM | {"Origin": "http://evil.example", "Referer": "http://mail.test/"}, 403),
        (UPSTREAM | {"Origin": "http://mail.test.evil.example"}, 403),
        (UPSTREAM | {"Origin": "http://mail.test@evil.example"}, 403),
        (UPSTREAM | {"Origin": "http://wild.test"}, 403),
        (UPSTREAM | {"Referer": "http://evil.example/http://mail.test/"}, 403),
        (UPSTREAM | {"Referer": "http://mail.test@evil.example/"}, 403),
        # A sandbox of the page's own origin, such as the frame of a mail.
        (UPSTREAM | {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 403),
        (UPSTREAM | {"Origin": "", "Sec-Fetch-Site": "same-origin"}, 403),
        # A page of the same machine, which the browser does not take for the inbox's.
        (UPSTREAM | {"Origin": "http://mail.test", "Sec-Fetch-Site": "same-site"}, 403),
        (UPSTREAM | {"Origin": "http://mail.test", "Sec-Fetch-Site": "cross-site"}, 403),
        (UPSTREAM | {"Origin": "http://localhost:3000"}, 403),
        (UPSTREAM | {"Origin": "http://127.0.0.1:3000"}, 403),
        (UPSTREAM | {"Referer": "http://localhost:3000/"}, 403),
        # Where the proxy keeps Host, another port, and another name under the wildcard, is another page.
        ({"Host": "mail.test", "Origin": "http://mail.test:3000"}, 403),
        ({"Host": "mail.test:8025", "Origin": "http://mail.test"}, 403),
        ({"Host": "inbox.wild.test", "Origin": "http://shop.wild.test"}, 403),
        ({"Host": "inbox.wild.test", "Referer": "http://shop.wild.test/"}, 403),
        # DNS rebinding: the other page's own name is in Host.
        ({"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Host": "evil.example", "Origin": "http://mail.test"}, 403),
    ],
)
def test_who_may_ask_by_way_of_a_proxy(headers: dict[str, str], status: int, guarded: Host) -> None:
    """The page was there, and every delete was refused: nginx sends another Host than it gets."""
    with api(guarded) as client:
        for method, path in (("GET", "info"), ("DELETE", "messages"), ("GET", f"{url(guarded)}/main.js")):
            assert client.request(method, path, headers=headers).status_code == status, (method, path)


def test_a_probe_needs_no_host(guarded: Host) -> None:
    for head in (b"GET /livez HTTP/1.0\r\n\r\n", b"GET /livez HTTP/1.1\r\nHost: pod-7.cluster\r\n\r\n"):
        with socket.create_connection(address(guarded), TIMEOUT) as probe:
            probe.sendall(head)
            assert probe.recv(12).endswith(b" 200")
    with socket.create_connection(address(guarded), TIMEOUT) as probe:
        probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert probe.recv(12).endswith(b" 400")


BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0", "Accept-Language": "en", "Host": "mail.test"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        # A browser, over plain HTTP under a name or a number of the network: it sends no Sec-Fetch-Site.
        (BROWSER, 403),
        (BROWSER | {"Host": "10.1.2.3:8025"}, 403),
        (BROWSER | {"Accept-Language": ""}, 403),
        (BROWSER | {"Accept-Language": "*"}, 403),
        (BROWSER | {"Accept": "image/avif,image/webp,*/*;q=0.8"}, 403),
        (BROWSER | {"User-Agent": "AppleCoreMedia/1.0.0.21A (Macintosh; U; Intel Mac OS X 14_0; en_us)"}, 403),
        (BROWSER | {"Referer": "http://mail.test:3000/"}, 403),
        (BROWSER | {"Referer": "http://evil.example/http://mail.test/"}, 403),
        (BROWSER | {"Referer": ""}, 403),
        (BROWSER | {"Referer": "http://mail.test/"}, 200),
        (BROWSER | {"Referer": "http://Mail.Test/style.css"}, 200),
        (BROWSER | {"Referer": "http://10.1.2.3:8025/", "Host": "10.1.2.3:8025"}, 200),
        (BROWSER | {"Origin": "http://mail.test", "Referer": "http://mail.test/"}, 200),
        # Where it sends Sec-Fetch-Site, that counts: a proxy may have changed Host.
        (BROWSER | {"Sec-Fetch-Site": "same-origin", "Referer": "https://inbox.example/"}, 200),
        (BROWSER | {"Sec-Fetch-Site": "none"}, 200),
        # Programs, as they are.
        ({"User-Agent": "curl/8.9.1", "Accept": "*/*"}, 200),
        ({"User-Agent": "node", "Accept": "*/*", "Accept-Language": "*", "Sec-Fetch-Mode": "cors"}, 200),
        ({"User-Agent": "PostmanRuntime/7.43.0", "Accept": "*/*", "Postman-Token": "x"}, 200),
        ({"User-Agent": "Mozilla/5.0 HeadlessChrome/156.0.0.0", "Accept": "*/*", "Accept-Encoding": "gzip"}, 200),
        ({"User-Agent": "Java/21", "Accept": "text/html, image/gif, image/jpeg, */*; q=0.2"}, 200),
        ({"User-Agent": "Tests/1 CFNetwork/1494 Darwin/23.4.0", "Accept": "*/*", "Accept-Language": "en-US"}, 200),
        ({"User-Agent": "Tests/1", "Referer": "http://other.example/"}, 403),
    ],
)
def test_a_browser_comes_from_the_page(headers: dict[str, str], status: int, guarded: Host) -> None:
    """The time of an answer to `/wait?subject=` gave another page a code of six digits."""
    with httpx.Client(base_url=f"{url(guarded)}/api/v1/", timeout=TIMEOUT, trust_env=False) as client:
        client.headers.clear()
        headers = {"Host": "mail.test"} | headers
        for path in ("wait?subject=1&timeout=0", "messages?search=1", "info", "stream"):
            expected = 408 if status == 200 and path.startswith("wait") else status
            method = "HEAD" if path == "stream" else "GET"
            assert client.request(method, path, headers=headers).status_code == expected, path
        assert client.get(f"{url(guarded)}/main.js", headers=headers).status_code == status
        page = client.get(f"{url(guarded)}/", headers=headers).status_code
        assert page == (403 if "Sec-Fetch-Site" in headers and status == 403 else 200), "a link may lead to the page"


@pytest.mark.parametrize("program", [["curl", "-sf"], ["wget", "-qO-"]])
def test_programs_ask_without_more(program: list[str], guarded: Host) -> None:
    if not shutil.which(program[0]):
        pytest.skip(f"needs {program[0]}")
    found = subprocess.run([*program, f"{url(guarded)}/api/v1/info"], capture_output=True, timeout=TIMEOUT)
    assert b'"version"' in found.stdout
    with urllib.request.urlopen(f"{url(guarded)}/api/v1/info", timeout=TIMEOUT) as answer:
        assert answer.status == 200


@pytest.mark.program("node")
def test_fetch_of_node_asks_without_more(guarded: Host) -> None:
    code = f"fetch('{url(guarded)}/api/v1/info').then((answer) => console.log(answer.status))"
    assert subprocess.run(["node", "-e", code], capture_output=True, timeout=TIMEOUT).stdout == b"200\n"


def test_a_link_from_anywhere_leads_to_the_page_alone(guarded: Host) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    with api(guarded) as client:
        page = url(guarded)
        assert client.get(f"{page}/", headers=link).status_code == 200
        assert client.get("messages", headers=link).status_code == 403
        assert client.get(f"{page}/", headers=link | {"Sec-Fetch-Dest": "iframe"}).status_code == 403
        assert client.get(f"{page}/main.js", headers=link).status_code == 403


def test_an_address_that_others_reach_is_a_warning(tmp_path: Path) -> None:
    with inbox(tmp_path, address="0.0.0.0:0", open=True) as (host, client):
        (line,) = host.wait_for("other machines can read and delete the inbox's mail")
        assert line["level"] == "warn"
        assert client.get("info").json()["open"] is True
