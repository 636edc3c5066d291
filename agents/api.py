"""An inbox by its HTTP API: over the network, or within the host that has it."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import anyio
import anyio.to_thread
import httpx2
import msgspec

from ..container.text import printable
from .protocols import ToolFailed

PREFIX: Final = "/api/v1"
TIMEOUT: Final = 30.0
"""Seconds for an answer, beside those that the inbox waits itself."""
MAX_ANSWER: Final = 256 * 1024 * 1024
"""Bytes of an answer that are read at most: a text is at most as large as its message, and escapes make it larger."""
_OFF_LOOP: Final = 1024 * 1024
"""Bytes of an answer above which it is decoded in a thread."""
LOCAL_ANSWERS: Final = 2
"""Answers of this host at the same time, except waits, which are small: a message may be large."""
_LOGIN: Final = "give --token, or set the variable RRPY_TOKEN"

_decode = msgspec.json.decode


class APIInbox:
    """The API of an inbox.

    `place`: for errors. `authorization`: the header of each request, empty for none. `turns`: held for each answer but
    that of a wait.
    """

    def __init__(
        self, client: httpx2.AsyncClient, place: str, authorization: str = "", turns: anyio.Semaphore | None = None
    ) -> None:
        self._client = client
        self._turns = turns
        self._place = place
        self._headers = {"Authorization": authorization} if authorization else {}

    async def ask(
        self, method: str, path: str, query: Mapping[str, Any], *, body: Any = None, timeout: float = 0
    ) -> Any:
        """Return the JSON of an answer. Raises ToolFailed."""
        async with self._turns if self._turns is not None and path != "/wait" else nullcontext():
            return await self._ask(method, path, query, body, timeout)

    async def _ask(self, method: str, path: str, query: Mapping[str, Any], body: Any, timeout: float) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        sent = msgspec.json.encode(body) if body is not None else None
        try:
            async with self._client.stream(
                method, PREFIX + path, params=given, content=sent, headers=self._headers, timeout=TIMEOUT + timeout
            ) as answer:
                content = bytearray()
                async for piece in answer.aiter_bytes():
                    content += piece
                    if len(content) > MAX_ANSWER:
                        raise ToolFailed(f"the answer of the inbox has more than {MAX_ANSWER} bytes")
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ToolFailed(printable(f"cannot reach the inbox at {self._place}: {reason}")) from None
        if answer.is_success:
            try:
                if len(content) > _OFF_LOOP:
                    return await anyio.to_thread.run_sync(partial(_decode, content))
                return _decode(content) if content else None
            except ValueError:
                raise ToolFailed(f"the server at {self._place} is not an inbox of rrpy") from None
        raise self._failure(answer.status_code, bytes(content))

    def _failure(self, status: int, content: bytes) -> ToolFailed:
        if status == 401:
            return ToolFailed(f"the inbox at {self._place} asks for a login: {_LOGIN}")
        try:
            problem = _decode(content, type=_Problem)
        except ValueError:
            return ToolFailed(f"the inbox at {self._place} answered {status}")
        found = {"received": problem.received, "links": problem.links, "candidates": problem.candidates}
        return ToolFailed(printable(problem.detail[:1000]), {name: each for name, each in found.items() if each})


class _Problem(msgspec.Struct):
    """An error of the API (RFC 9457). `received`: of a wait; `links`, `candidates`: of a search for a link, a code."""

    detail: str
    received: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    candidates: list[dict[str, Any]] = []


def local(app: Any) -> Callable[[str], APIInbox]:
    """Return a function that gives the inbox of this host for a header Authorization. `app`: its ASGI application."""
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost", trust_env=False)
    turns = anyio.Semaphore(LOCAL_ANSWERS)
    return lambda authorization: APIInbox(client, "this host", authorization, turns)


@asynccontextmanager
async def connected(url: str, token: str = "") -> AsyncIterator[APIInbox]:
    """Give the inbox at a URL such as `http://127.0.0.1:8025`. A login may be before its host. Raises ToolFailed."""
    try:
        parsed = httpx2.URL(url)
        place = str(parsed.copy_with(userinfo=b""))
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError
    except (httpx2.InvalidURL, ValueError):
        raise ToolFailed("the address of the inbox is not a URL such as http://127.0.0.1:8025") from None
    login = unquote_to_bytes(parsed.userinfo)
    authorization = f"Bearer {token}" if token else f"Basic {b64encode(login).decode()}" if login else ""
    context = ssl.create_default_context() if parsed.scheme == "https" else False
    # Without the proxies of the environment: the inbox is on this machine, or on a known one.
    async with httpx2.AsyncClient(base_url=place, verify=context, trust_env=False) as client:
        yield APIInbox(client, place.rstrip("/"), authorization)
