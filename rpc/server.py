"""The RPC server: a listener and its connections, from `serve` to `stop`."""

from __future__ import annotations

import asyncio
import functools
import math
from contextlib import closing
from typing import Final

import anyio
from anyio.abc import TaskGroup, TaskStatus

from ..container.net.accepting import RESERVE, Acceptor, Reserve
from ..container.net.access import SocketAccess
from ..container.net.address import ListenAddress, peer_text
from ..container.net.listening import Addresses, BoundSockets
from ..container.protocols import Logger
from .budget import Budget
from .config import MAX_CONNECTIONS, MAX_FRAME_BYTES
from .connection import RPCConnection
from .registry import Registry

FULL_LOG_INTERVAL: Final = 10.0
"""A full server logs at most one line in these seconds, with the numbers of clients since the last one."""
IDLE_TIME: Final = 1.0
"""Seconds without a call after which a connection makes room for a new one."""
MAX_REFUSED: Final = 64
"""Refused clients that get a sentence at the same time; the host closes further ones at once."""
MAX_HELD: Final = 64 * 1024 * 1024
"""Bytes of requests and responses that all connections hold together, or four frames of the largest size."""


class Server:
    """Serves a registry on addresses. `address`: the first one, with the real port once `serve` has started.

    `access`: of the files of unix sockets, when `serve` starts.
    """

    def __init__(
        self,
        addresses: Addresses,
        registry: Registry,
        log: Logger,
        *,
        max_frame_bytes: int = MAX_FRAME_BYTES,
        max_connections: int = MAX_CONNECTIONS,
        access: SocketAccess = SocketAccess(),  # noqa: B008 - a constant
    ) -> None:
        self.addresses = addresses
        self.address: ListenAddress = addresses.all[0]
        self.access = access
        self._registry = registry
        self._log = log
        self._max_frame_bytes = max_frame_bytes
        self._max_connections = max_connections
        self._budget = Budget(max(MAX_HELD, 4 * max_frame_bytes))
        self._connections: set[RPCConnection] = set()
        self._refusing: set[RPCConnection] = set()
        self._stopping = asyncio.Event()
        self._ended: asyncio.Event | None = None
        self._refused = 0
        self._closed_idle = 0
        self._next_full_log = -math.inf

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until `stop`. Raises ListenError."""
        self._ended = asyncio.Event()
        try:
            bound = BoundSockets(self.addresses)
            async with anyio.create_task_group() as connections:
                with closing(await self._listen(bound, connections)):
                    self.address = bound.address
                    self._log.info("rpc is listening", address=str(bound))
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

    async def _listen(self, bound: BoundSockets, connections: TaskGroup) -> Acceptor:
        loop = asyncio.get_running_loop()
        accept = functools.partial(self._accept, connections)

        def protocol() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), accept, loop=loop)

        acceptor = Acceptor(bound, protocol, Reserve(RESERVE, bound, self._log))
        try:
            bound.give(self.access, self.addresses.key)
            await acceptor.start()
        except BaseException:
            acceptor.close()
            raise
        return acceptor

    def _accept(self, group: TaskGroup, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stopping.is_set():
            writer.transport.abort()
            return
        full = len(self._connections) >= self._max_connections
        refused = full and not self._make_room()
        if full:
            self._refused += refused
            self._log_full(peer_text(writer.get_extra_info("peername")))
        if refused and len(self._refusing) >= MAX_REFUSED:
            writer.transport.abort()
            return
        connection = RPCConnection(
            reader,
            writer,
            self._registry,
            self._log,
            self._budget,
            max_frame_bytes=self._max_frame_bytes,
            refusal=self._refusal if refused else "",
        )
        connections = self._refusing if refused else self._connections
        # Counted here and not in its task, which has not begun when the next client connects.
        connections.add(connection)
        group.start_soon(self._serve, connection, connections)

    async def _serve(self, connection: RPCConnection, connections: set[RPCConnection]) -> None:
        try:
            await connection.serve()
        finally:
            connections.discard(connection)

    @property
    def _refusal(self) -> str:
        return f"rpc: the host has {self._max_connections} connections (rpc.max_connections), try again later"

    def _make_room(self) -> bool:
        """End the connection that is idle for the longest time; one without any call before one that had calls."""
        latest = asyncio.get_running_loop().time() - IDLE_TIME
        idle = [each for each in self._connections if not each.calling and each.last_used <= latest]
        if not idle:
            return False
        connection = min(idle, key=lambda each: (each.asked, each.last_used))
        self._connections.discard(connection)
        connection.stop()
        self._closed_idle += 1
        return True

    def _log_full(self, remote: str) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._next_full_log:
            return
        self._next_full_log = now + FULL_LOG_INTERVAL
        self._log.warning(
            "too many rpc connections",
            remote=remote,
            refused=self._refused,
            closed_idle=self._closed_idle,
            limit=self._max_connections,
        )
        self._refused = self._closed_idle = 0
