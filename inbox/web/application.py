"""The ASGI application: the API's routes, the page's files, and the guard before both."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ...container.net.http import Application
from ...container.protocols import Logger
from ..config import InboxConfig
from ..mail_servers import MailServers
from ..mailbox import Mailbox
from ..relay.release import Releaser
from ..store.database import StoreError
from .agents import PATH as AGENTS_PATH
from .agents import Agents
from .api import API
from .guard import LIVEZ, Guard
from .login import MAILBOX, TOKEN, Login
from .mailpit import SEND, Mailpit
from .problems import Problem
from .route import MAILBOX_PARAMETER, MAX_BODY
from .route import Route as APIRoute
from .routes import MAX_POSTED, PREFIX, ROUTES

STATIC: Final = Path(__file__).parent / "static"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""The kinds of files that the page has, each with its content type."""

MAX_POSTS: Final = 4
"""Requests with a large body at the same time."""

Endpoint = Callable[[Request], Awaitable[Response]]
_ANSWERED = (Problem, HTTPException, StoreError)


def application(
    mailbox: Mailbox, servers: MailServers, config: InboxConfig, log: Logger, *, is_open: bool = False
) -> Application:
    """Return the inbox's application. `is_open`: other machines reach it without a login."""
    api = API(mailbox, servers, config, Releaser(mailbox, servers, config.relay, log), is_open=is_open)
    paths: dict[str, dict[str, Endpoint]] = {}
    posts = anyio.Semaphore(MAX_POSTS)
    for route in ROUTES:
        path = PREFIX + route.path.replace("{name}", "{name:path}")  # the name of a mailbox may have a slash
        paths.setdefault(path, {})[route.method] = _with_body(
            route.method, _checked(route, getattr(api, route.name)), route.max_body, posts
        )
    for path, methods in Mailpit(mailbox, config).endpoints().items():
        most = MAX_POSTED if path == SEND else MAX_BODY
        paths[path] = {method: _with_body(method, each, most, posts) for method, each in methods.items()}
    found = [Route(path, _by_method(methods), methods=list(methods)) for path, methods in paths.items()]
    found += [Route(_path(file), _file(file)) for file in sorted(STATIC.iterdir()) if file.suffix in TYPES]
    found.append(Route(LIVEZ, _alive))
    agents = Agents(_read_whole)
    found.append(Route(AGENTS_PATH, agents.answer, methods=["POST"]))
    app = Starlette(routes=found, exception_handlers=dict.fromkeys(_ANSWERED, _problem) | {Exception: _failed})
    app.router.redirect_slashes = False
    agents.app = Guard(Login(app, config, log) if config.asks_for_login else app, config.allowed_hosts, log)
    return agents.app


def _checked(route: APIRoute, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint for requests whose parameters the route has: a misspelt one must not count as absent."""
    names = [each.name for each in route.parameters if each.place == "query"]
    of_mailbox = route.of_all or MAILBOX_PARAMETER in route.parameters
    *most, last = names or ["no parameters"]
    takes = f"{', '.join(most)} and {last}" if most else last

    async def checked(request: Request) -> Response:
        if route.users_only and TOKEN in request.scope:
            raise Problem(403, f"a token may not {route.name} a message; a user may")
        if MAILBOX in request.scope and not of_mailbox:
            raise Problem(403, f"the token is for the mailbox {request.scope[MAILBOX]} alone, and may not do this")
        for name in request.query_params:
            if name not in names:
                raise Problem(400, f"{route.path[1:]} takes {takes}, not {name}")
        return await endpoint(request)

    return checked


def _with_body(method: str, endpoint: Endpoint, most: int, posts: anyio.Semaphore) -> Endpoint:
    """Return the endpoint for requests that are not read yet. `posts`: the turns of those with much to read."""
    if method == "GET":
        return endpoint

    async def reading(request: Request) -> Response:
        turn: AbstractAsyncContextManager[Any] = posts if most > MAX_BODY else nullcontext()
        async with turn:
            request.state.body = await _read_whole(request, most)
            return await endpoint(request)

    return reading


def _by_method(methods: Mapping[str, Endpoint]) -> Endpoint:
    """Return the endpoint of a path with several methods. With one route each, Allow would name the first alone."""

    async def endpoint(request: Request) -> Response:
        return await methods["GET" if request.method == "HEAD" else request.method](request)

    return endpoint


async def _read_whole(request: Request, most: int = MAX_BODY) -> bytes:
    """Read a request to its end before it changes anything, and return its body. Raises Problem for a broken one."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                raise Problem(413, f"the request's body has more than {most} bytes")
    except ClientDisconnect:
        raise Problem(400, "the request's body is incomplete") from None
    return bytes(body)


def _path(file: Path) -> str:
    return "/" if file.name == "index.html" else f"/{file.name}"


def _file(file: Path) -> Endpoint:
    """Return the endpoint of a static file. A browser keeps the file and asks each time whether it has changed."""
    content = file.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Content-Type": TYPES[file.suffix]}

    async def endpoint(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers)

    return endpoint


async def _alive(_: Request) -> Response:
    """Answer a probe: the host serves."""
    return Response("ok\n", media_type="text/plain")


async def _problem(request: Request, error: Exception) -> Response:
    """Answer an error of an endpoint, and in our own words Starlette's for an unknown path or method."""
    if isinstance(error, Problem):
        return error.response()
    if isinstance(error, StoreError):
        return Problem(503, str(error)).response()
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        detail = f"{request.url.path} does not take {request.method}"
    else:
        detail = f"there is nothing at {request.url.path}; {PREFIX}/openapi.json describes the API"
    return Problem(error.status_code, detail, dict(error.headers or {})).response()


async def _failed(_: Request, __: Exception) -> Response:
    """Answer a fault of the inbox. The guard logs it."""
    return Problem(500, "the inbox failed; the host's log says why").response()
