"""The API of an inbox as the tools ask it: within a host, and at a URL."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from rrpy.agents.api import LOCAL_ANSWERS, connected, local
from rrpy.agents.protocols import ToolFailed

pytestmark = pytest.mark.anyio


class App:
    """An ASGI application that answers each request with `status` and `body`, and counts those under way."""

    def __init__(self, status: int = 200, body: bytes = b"{}") -> None:
        self.status, self.body = status, body
        self.now = self.most = 0
        self.seen: list[dict[str, Any]] = []
        self.gate = anyio.Event()
        self.gate.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append({"path": scope["path"], "query": scope["query_string"], "headers": dict(scope["headers"])})
        self.now += 1
        self.most = max(self.most, self.now)
        await self.gate.wait()
        self.now -= 1
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.body})


async def test_a_host_makes_few_answers_at_a_time_for_agents_and_any_number_of_waits() -> None:
    app = App()
    inbox = local(app)("Bearer x")
    for path, most in (("/messages/a", LOCAL_ANSWERS), ("/wait", 10)):
        app.gate, app.most = anyio.Event(), 0
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(inbox.ask, "GET", path, {})
            await anyio.wait_all_tasks_blocked()
            assert app.now == most
            app.gate.set()
        assert app.most == most
    assert {each["headers"][b"authorization"] for each in app.seen} == {b"Bearer x"}


async def test_values_of_none_are_left_out_and_lists_are_several_values() -> None:
    app = App()
    await local(app)("").ask("GET", "/wait", {"to": None, "header": ["a: 1", "b: 2"]})
    assert app.seen[0]["path"] == "/api/v1/wait"
    assert app.seen[0]["query"] == b"header=a%3A+1&header=b%3A+2"
    assert b"authorization" not in app.seen[0]["headers"]


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, b'{"detail": "log in"}', "the inbox at this host asks for a login: give --token"),
        (
            404,
            b'{"title": "Not Found", "status": 404, "detail": "there is no message a\\u001b"}',
            r"no message a\\x1b$",
        ),
        (502, b"<html>Bad Gateway</html>", "the inbox at this host answered 502"),
        (500, b'{"detail": 5}', "the inbox at this host answered 500"),
    ],
)
async def test_a_failure_is_one_sentence(status: int, body: bytes, sentence: str) -> None:
    with pytest.raises(ToolFailed, match=sentence):
        await local(App(status, body))("").ask("GET", "/info", {})


@pytest.mark.parametrize("url", ["", "localhost:8025", "ftp://localhost", "http://", "http://a:b"])
async def test_an_address_that_is_no_url_is_one_sentence(url: str) -> None:
    with pytest.raises(ToolFailed, match="is not a URL such as"):
        async with connected(url):
            pass


async def test_an_inbox_that_is_away_is_named_without_its_login() -> None:
    async with connected("http://ann:secret@127.0.0.1:1") as inbox:
        with pytest.raises(ToolFailed, match=r"cannot reach the inbox at http://127\.0\.0\.1:1: ") as failed:
            await inbox.ask("GET", "/info", {})
    assert "secret" not in str(failed.value)
