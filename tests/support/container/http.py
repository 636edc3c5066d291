"""An HTTP server of the host, in the test's own process."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator

import anyio
from support.log import Log

from rrpy.container.net.address import TCPAddress
from rrpy.container.net.http import Application, HTTPServer
from rrpy.container.net.listening import listen_addresses


@contextlib.asynccontextmanager
async def serving(app: Application, log: Log, tls: ssl.SSLContext | None = None) -> AsyncIterator[TCPAddress]:
    """Serve an application on a free port."""
    server = HTTPServer(app, listen_addresses("127.0.0.1:0", "x.address"), log, tls=tls)
    async with anyio.create_task_group() as group:
        await group.start(lambda *, task_status: server.serve(task_status=task_status))
        assert isinstance(server.address, TCPAddress)
        try:
            yield server.address
        finally:
            await server.stop()
