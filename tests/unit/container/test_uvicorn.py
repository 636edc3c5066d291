"""The members of uvicorn that we use without its documentation's leave are there, in the version that is installed."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from rrpy.container.net.http import UVICORN_NAMES, Receive, Scope, Send

PROJECT = Path(__file__).parents[3] / "pyproject.toml"

pytestmark = pytest.mark.anyio


class Peer(asyncio.Transport):
    """A transport that goes nowhere."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return False


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def test_every_name_of_uvicorn_s_that_we_use_is_there() -> None:
    config = uvicorn.Config(app, interface="asgi3", http="h11", lifespan="off", log_config=None)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[])
    connection = H11Protocol(config, server.server_state, {})
    connection.connection_made(Peer())
    connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.wait([*server.server_state.tasks])
    objects = [config, server, server.server_state, connection, connection.cycle]
    assert [type(each).__name__ for each in objects] == list(UVICORN_NAMES)
    missing = [
        f"{type(each).__name__}.{name}"
        for each in objects
        for name in UVICORN_NAMES[type(each).__name__]
        if not hasattr(each, name)
    ]
    assert missing == []


def test_uvicorn_is_pinned_to_one_minor_version() -> None:
    project = tomllib.loads(PROJECT.read_text())["project"]
    (pin,) = [each for each in project["dependencies"] if each.startswith("uvicorn")]
    major, minor = uvicorn.__version__.split(".")[:2]
    assert set(pin.removeprefix("uvicorn").split(",")) == {f">={major}.{minor}", f"<{major}.{int(minor) + 1}"}
