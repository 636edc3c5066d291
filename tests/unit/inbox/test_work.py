"""The work for a request: each reads what it needs once, and ends with its client."""

from __future__ import annotations

import gc
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from starlette.responses import Response
from support.inbox.stored import received
from support.log import Log
from support.waiting import TIMEOUT, until

from rrpy.inbox.config import InboxConfig
from rrpy.inbox.mail_servers import MailServers
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.records import Stored
from rrpy.inbox.store import selection
from rrpy.inbox.store.store import Store
from rrpy.inbox.web import answers, html
from rrpy.inbox.web.answers import PIECE
from rrpy.inbox.web.api import MAX_ANSWERS
from rrpy.inbox.web.application import application

pytestmark = pytest.mark.anyio

IMAGES = 998


class Counted(Store):
    """A store that counts its reads. `gate`: each of them waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def counts(self, kind: str) -> None:
        self.begun.set()
        assert self.gate.wait(TIMEOUT)
        self.reads[kind] += 1

    def read(self, message_id: str, mailbox: str | None = None) -> Stored | None:
        self.counts("read")
        return super().read(message_id, mailbox)

    def list_messages(self, **options: Any) -> Any:
        self.counts("list")
        return super().list_messages(**options)

    def find(self, *arguments: Any, **options: Any) -> Any:
        self.counts("find")
        return super().find(*arguments, **options)


def before_each_slice(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do this in the thread that rewrites HTML, before each slice."""
    work = html.Rewriter.work

    def acting(rewriter: html.Rewriter) -> bool:
        act()
        return work(rewriter)

    monkeypatch.setattr(html.Rewriter, "work", acting)


def gallery() -> bytes:
    """Return a mail whose HTML shows many images of its own."""
    page = "".join(f"<img src=cid:{number}>" for number in range(IMAGES))
    parts = [f"Content-Type: text/html\r\n\r\n{page}"]
    parts += [f"Content-Type: image/png\r\nContent-ID: <{number}>\r\n\r\n{number}" for number in range(IMAGES)]
    body = "".join(f"--b\r\n{part}\r\n" for part in parts)
    return f"Content-Type: multipart/related; boundary=b\r\n\r\n{body}--b--\r\n".encode()


class Client:
    """A client of the application whose connection the test can end."""

    def __init__(self, store: Store) -> None:
        self.mailbox = Mailbox(store)
        self.log = Log()
        self._app = application(self.mailbox, MailServers(), InboxConfig(), self.log)

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://localhost/api/v1/")

    async def get(self, path: str, gone: anyio.Event, reads: anyio.Event | None = None) -> list[dict[str, Any]]:
        """Ask for `path` as a client that is gone as soon as `gone` is set. Return what it got.

        `reads`: it reads no body before that is set.
        """
        got: list[dict[str, Any]] = []
        path, _, query = path.partition("?")
        scope = {
            "type": "http", "method": "GET", "path": f"/api/v1/{path}", "query_string": query.encode(),
            "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http", "root_path": "",
        }  # fmt: skip
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await gone.wait()
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            got.append(message)
            if reads is not None and message["type"] == "http.response.body":
                await reads.wait()

        await self._app(scope, receive, send)
        return got


async def test_a_thousand_images_read_the_message_once() -> None:
    """Each image decoded the whole message, in 35 seconds, and every other HTML waited."""
    store = Counted()
    client = Client(store)
    await client.mailbox.add(received("1", content=gallery()))
    async with client.http() as http:
        answer = await http.get("messages/latest/html")
    assert answer.status_code == 200
    assert answer.text.count("data:image/png;base64,") == IMAGES
    assert store.reads == {"read": 1}
    assert client.log.lines == []
    await client.mailbox.aclose()


@pytest.mark.parametrize(
    ("path", "read"), [("messages/latest/html", "slice"), ("messages?search=hi", "list"), ("wait?subject=x", "find")]
)
async def test_the_work_ends_when_its_client_is_gone(path: str, read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "SLICE", 1)
    monkeypatch.setattr(selection, "SLICE", 0)
    store = Counted()
    before_each_slice(monkeypatch, lambda: store.counts("slice"))
    client = Client(store)
    for number in range(20):
        await client.mailbox.add(received(str(number), content=gallery()))
    store.gate.clear()
    gone = anyio.Event()
    with anyio.fail_after(TIMEOUT):
        async with anyio.create_task_group() as group:
            group.start_soon(client.get, path, gone)
            await anyio.to_thread.run_sync(store.begun.wait, TIMEOUT)
            gone.set()
            await anyio.wait_all_tasks_blocked()
            store.gate.set()
    assert store.reads[read] <= 2
    assert client.log.lines == []
    await client.mailbox.aclose()


async def test_a_heavy_mail_leaves_a_share_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "SLICE", 1)
    store = Counted()
    client = Client(store)
    await client.mailbox.add(received("heavy", content=gallery()))
    await client.mailbox.add(received("light", content=b"Content-Type: text/html\r\n\r\n<p>light"))
    async with client.http() as http, anyio.create_task_group() as group:
        ended: list[str] = []

        async def look(name: str) -> None:
            answer = await http.get(f"messages/{name}/html")
            assert answer.status_code == 200
            ended.append(name)

        group.start_soon(look, "heavy")
        await anyio.to_thread.run_sync(store.begun.wait, TIMEOUT)
        group.start_soon(look, "light")
    assert ended == ["light", "heavy"]
    await client.mailbox.aclose()


async def test_a_mail_arrives_while_html_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, added = threading.Event(), threading.Event()

    def until_added() -> None:
        begun.set()
        assert added.wait(TIMEOUT)

    before_each_slice(monkeypatch, until_added)
    client = Client(Counted())
    await client.mailbox.add(received("heavy", content=gallery()))
    async with client.http() as http, anyio.create_task_group() as group:
        group.start_soon(http.get, "messages/heavy/html")
        await anyio.to_thread.run_sync(begun.wait, TIMEOUT)
        await client.mailbox.add(received("new"))
        added.set()
    assert client.log.lines == []
    await client.mailbox.aclose()


async def test_clients_that_do_not_read_hold_few_messages_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 256 clients that read nothing had a whole message in memory. Later, they kept small messages waiting."""
    alive: weakref.WeakSet[Response] = weakref.WeakSet()
    make = answers._Answer._made

    async def made(answer: Any) -> Response:
        response = await make(answer)
        alive.add(response)
        return response

    monkeypatch.setattr(answers._Answer, "_made", made)
    store = Counted()
    client = Client(store)
    await client.mailbox.add(received("large", "x" * 1_000_000))
    reads, gone = anyio.Event(), anyio.Event()
    all_got: list[list[dict[str, Any]]] = []

    async def get() -> None:
        all_got.append(await client.get("messages/large/raw", gone, reads))

    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(get)
        await until(lambda: store.reads["read"] == 30)
        await anyio.wait_all_tasks_blocked()
        gc.collect()
        assert len(alive) == MAX_ANSWERS
        async with client.http() as http:
            await client.mailbox.add(received("small"))
            for _ in range(10):
                assert (await http.get("messages")).status_code == 200
                assert (await http.get("messages/small/raw")).status_code == 200
            with monkeypatch.context() as patch:
                patch.setattr(answers, "WAIT", 0)
                refused = await http.get("messages/large")
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        reads.set()
    assert len(all_got) == 30
    stored = store.read("large")
    assert stored is not None
    for answer in all_got:
        bodies = [message["body"] for message in answer if message["type"] == "http.response.body"]
        assert b"".join(bodies) == stored.content
        assert max(map(len, bodies)) <= PIECE
        assert [message.get("more_body", False) for message in answer[1:]] == [True] * (len(bodies) - 1) + [False]
    await client.mailbox.aclose()


async def test_html_is_rewritten_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "SLICE", 100)
    rewriter = html.Rewriter("<b>" * 1000 + "end", {})
    slices = 1
    while not rewriter.work():
        slices += 1
    assert slices == 11
    assert rewriter.page().endswith(b"<b>" * 1000 + b"end")


async def test_an_error_of_waiting_work_is_answered_as_any_other() -> None:
    """The group of tasks wrapped it: a failing database was 500 instead of 503."""
    store = Store()
    client = Client(store)
    store.close()
    async with client.http() as http:
        for path in ("wait", "messages", "messages/latest/html"):
            answer = await http.get(path)
            assert answer.status_code == 503, path
            assert "failed: Cannot operate on a closed database." in answer.json()["detail"]
    assert client.log.lines == []
