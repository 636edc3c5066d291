"""The stream of the page: one for all tabs of a browser, none for hidden ones, and a host that restarts."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from support.container.host import Host, hosting
from support.inbox.host import address, inbox, mail, send, url
from support.inbox.page import Visit, live, shows
from support.waiting import eventually

from rrpy.inbox.feed import MAX_READERS

pytestmark = pytest.mark.program("chromium")

WITHOUT_WORKERS = "delete globalThis.SharedWorker"
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", {configurable: true, value: hidden});
  document.dispatchEvent(new Event("visibilitychange", {bubbles: true}));
}"""


def streams(host: Host, client: httpx.Client) -> int:
    """Return how many streams the host sends: those that it takes, without those that still find a place."""
    with ExitStack() as readers:
        for taken in range(MAX_READERS + 1):
            if client.head("stream").status_code == 503:
                return MAX_READERS - taken
            reader = readers.enter_context(socket.create_connection(address(host)))
            reader.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert reader.recv(15) == b"HTTP/1.1 200 OK"
    raise AssertionError("the host takes any number of readers")


def freed(client: httpx.Client) -> None:
    eventually(lambda: client.head("stream").status_code == 200, "there is room again")


def tabs(first: Page, count: int) -> list[Page]:
    """Return this page, and more tabs of the same browser."""
    pages = [first]
    for _ in range(count - 1):
        page = first.context.new_page()
        page.goto(first.url)
        pages.append(page)
    return [live(page) for page in pages]


def test_many_tabs_share_one_stream_and_each_of_them_works(tmp_path: Path, visit: Visit) -> None:
    """A browser opens six connections to one address: the sixth tab stopped all of them."""
    with inbox(tmp_path) as (host, client):
        send(host, mail("one"))
        pages = tabs(visit(host), 8)
        assert streams(host, client) == 1
        freed(client)
        first, *others = pages
        first.get_by_role("option", name="one").click()
        expect(first.locator("#subject")).to_have_text("one")
        first.close()  # it has begun the stream
        send(host, mail("two"))
        for page in others:
            expect(page.locator("#messages .subject")).to_have_text(["two", "one"])
        client.delete("messages/latest")
        for page in others:
            expect(page.locator("#messages .subject")).to_have_text(["one"])


@pytest.mark.parametrize("script", ["", WITHOUT_WORKERS])
def test_hidden_tabs_have_no_stream_and_catch_up(script: str, tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, client):
        page = visit(host)
        page.context.add_init_script(script)
        page.reload()
        pages = tabs(page, 2)
        for each in pages:
            each.evaluate(HIDE, True)
        eventually(lambda: streams(host, client) == 0, "no tab has a stream")
        send(host, mail("one"))
        expect(pages[0].get_by_role("option")).to_have_count(0)
        for each in pages:
            each.evaluate(HIDE, False)
            expect(each.get_by_role("option")).to_have_count(1)


def test_a_browser_that_cannot_run_the_worker_follows_without_it(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path) as (host, _):
        page = visit(host)
        page.context.add_init_script(
            "const Real = SharedWorker;"
            "globalThis.SharedWorker = class extends Real { constructor() { super('./nothing.js') } }"
        )
        page.reload()
        live(page)
        send(host, mail("one"))
        expect(page.get_by_role("option")).to_have_count(1)


@pytest.mark.parametrize(("path", "left"), [("", ["after"]), ("inbox.db", ["after", "before", "before"])])
def test_the_page_says_that_a_restart_lost_mail(path: str, left: list[str], tmp_path: Path, visit: Visit) -> None:
    """The list was empty, and the page did not say why."""
    with inbox(tmp_path, path=path) as (host, _):
        for _ in range(2):
            send(host, mail("before"))
        page = live(visit(host))
        expect(page.get_by_role("option")).to_have_count(2)
        port = url(host).rpartition(":")[2]
    expect(page.locator("#state")).to_have_text("Reconnecting")
    with hosting(tmp_path, inbox={"address": f"127.0.0.1:{port}", "path": path}) as host:
        live(page)
        send(host, mail("after"))
        expect(page.get_by_role("option")).to_have_count(len(left))
        shows(page, left)
        note = page.locator("#restarted")
        if path:
            expect(note).to_be_hidden()
        else:
            expect(note).to_contain_text("The host was restarted. 2 messages were only in memory and are gone.")
            note.get_by_role("button", name="Close").click()
            expect(note).to_be_hidden()
        page.close()  # so that it does not follow a host that ends
