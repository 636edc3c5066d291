"""The SMTP plugin's workers, before and after the pool is up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from rrpy.smtp_plugin.workers_manager import WorkersManager
from rrpy.worker_pool import PoolConfig

pytestmark = pytest.mark.anyio


class Server:
    """A PoolFactory whose pools have one property, and are known by their names."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self.env: Mapping[str, str] = {}
        self.ready = True

    def new_pool(self, config: PoolConfig, env: Mapping[str, str], *, name: str) -> AbstractAsyncContextManager[Any]:
        self.known.append(name)
        self.env = env
        return self._running()

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[Server]:
        yield self


def test_the_pool_is_known_by_the_plugin_s_name_before_it_is_up() -> None:
    server = Server()
    workers = WorkersManager(server, PoolConfig(), "smtp")
    assert (server.known, server.env) == (["smtp"], {"RR_MODE": "smtp"})
    assert not workers.ready


async def test_the_workers_are_ready_while_the_pool_is_up_and_a_worker_in_it() -> None:
    server = Server()
    workers = WorkersManager(server, PoolConfig(), "smtp")
    async with workers.running() as pool:
        assert pool is server
        assert workers.ready
        server.ready = False
        assert not workers.ready
        server.ready = True
    assert not workers.ready


async def test_what_the_body_raises_comes_out_and_the_workers_are_not_ready_any_more() -> None:
    workers = WorkersManager(Server(), PoolConfig(), "smtp")
    with pytest.raises(LookupError):
        async with workers.running():
            raise LookupError
    assert not workers.ready
