"""The RPC server: a listener and its connections, from `serve` to `stop`."""

from __future__ import annotations

import asyncio
import functools
import math
from contextlib import closing
from typing import Final

import anyio
from anyio.abc import TaskGroup, TaskStatus

from ..container.net.address import ListenAddress, UnixAddress, peer_text
from ..container.net.sockets import BoundSocket
from ..container.protocols import Logger
from .config import MAX_CONNECTIONS, MAX_FRAME_BYTES
from .connection import RPCConnection
from .registry import Registry

REFUSAL_LOG_INTERVAL: Final = 10.0
"""A full server logs at most one refusal in this time, with the number of refused clients since the last one."""


class Server:
    """Serves a registry on an address. `address`: with the real port once `serve` has started."""

    def __init__(
        self,
        address: ListenAddress,
        registry: Registry,
        log: Logger,
        *,
        max_frame_bytes: int = MAX_FRAME_BYTES,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self.address = address
        self._registry = registry
        self._log = log
        self._max_frame_bytes = max_frame_bytes
        self._max_connections = max_connections
        self._connections: set[RPCConnection] = set()
        self._stopping = asyncio.Event()
        self._ended: asyncio.Event | None = None
        self._refused = 0
        self._next_refusal_log = -math.inf

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until `stop`. Raises ListenError."""
        self._ended = asyncio.Event()
        try:
            bound = BoundSocket(self.address, owner="rpc")
            async with anyio.create_task_group() as connections:
                with closing(bound), closing(await self._listen(bound, connections)):
                    self.address = bound.address
                    self._log.info("rpc is listening", address=str(self.address))
                    task_status.started()
                    await self._stopping.wait()
                for connection in self._connections:
                    connection.stop()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Stop listening, let running calls end (see `RPCConnection.stop`), close. Waits for `serve`. Idempotent."""
        self._stopping.set()
        if self._ended is not None:
            await self._ended.wait()

    async def _listen(self, bound: BoundSocket, connections: TaskGroup) -> asyncio.Server:
        accept = functools.partial(self._accept, connections)
        if isinstance(bound.address, UnixAddress):
            return await asyncio.start_unix_server(accept, sock=bound.socket, **bound.unix_options)
        return await asyncio.start_server(accept, sock=bound.socket)

    def _accept(self, group: TaskGroup, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stopping.is_set():
            writer.transport.abort()
        elif len(self._connections) >= self._max_connections:
            self._refuse(writer)
        else:
            connection = RPCConnection(reader, writer, self._registry, self._log, self._max_frame_bytes)
            # Counted here and not in its task, which has not begun when the next client connects.
            self._connections.add(connection)
            group.start_soon(self._serve, connection)

    async def _serve(self, connection: RPCConnection) -> None:
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)

    def _refuse(self, writer: asyncio.StreamWriter) -> None:
        remote = peer_text(writer.get_extra_info("peername"))
        writer.transport.abort()
        self._refused += 1
        now = anyio.current_time()
        if now >= self._next_refusal_log:
            self._next_refusal_log = now + REFUSAL_LOG_INTERVAL
            self._log.warning(
                "rpc connection refused: too many", remote=remote, refused=self._refused, limit=self._max_connections
            )
            self._refused = 0
