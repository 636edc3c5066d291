"""An HTTP server for a plugin: an ASGI application on the host's own event loop, with uvicorn.

What we want: no signal handler, no log and no polling beside the host's own. What does not work: uvicorn's `serve`,
which takes the signals, and its main loop, which wakes ten times a second to see whether it should exit. What we do:
start and shut down with uvicorn's own methods, and wait for one event in between, with one tick a second for the Date
header. http_connection.py limits the resources of a client. These methods are not documented: `UVICORN_NAMES` lists
them, pyproject.toml pins uvicorn to the minor version that the tests run with.
What can still fail: an application that never ends a response (an event stream), or a client that does not read one,
holds `stop` for DRAIN_TIMEOUT seconds; then its connection is cut. An application should end its streams when its
plugin stops.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.abc import TaskStatus

from ..protocols import Logger
from .accepting import RESERVE, Acceptor, Reserve, descriptor_limit
from .address import Address, peer_text
from .listening import Addresses, BoundSockets
from .shaking import TLSAcceptor
from .tls import handshake_fault, is_plain

if TYPE_CHECKING:
    import uvicorn

    from .http_connection import HTTPConnection

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application (asgi.readthedocs.io, version 3)."""

DRAIN_TIMEOUT: Final = 2
"""Seconds that a response under way may still take when the server stops."""
SHARE: Final = 4
"""The connections of a server take at most the fourth part of the descriptors: mail needs the others."""
HANDSHAKE_TIMEOUT: Final = 10.0
"""Seconds that a TLS handshake may take."""

UVICORN_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "Config": ("load", "lifespan_class"),
    "Server": ("config", "lifespan", "startup", "on_tick", "server_state", "shutdown"),
    "ServerState": ("connections",),
    "H11Protocol": ("conn", "connections", "cycle", "loop", "on_response_complete", "send_400_response", "transport"),
    "RequestResponseCycle": ("disconnected", "message_event", "more_body", "response_complete"),
}
"""The members of uvicorn that this module and http_connection.py use, and that uvicorn does not document."""


class HTTPServer:
    """Serves an ASGI application on the addresses of a setting, from `serve` until `stop`.

    `address`: the first one, with the port that port 0 became; None before it serves. `tls`: for HTTPS. `connections`:
    at the same time, None for http_connection.MAX_CONNECTIONS, and in any case at most a share of the descriptors. The
    application's lifespan events are not used: a plugin has its own.
    """

    def __init__(
        self,
        app: Application,
        addresses: Addresses,
        log: Logger,
        *,
        tls: ssl.SSLContext | None = None,
        connections: int | None = None,
    ) -> None:
        self.addresses = addresses
        self.address: Address | None = None
        self._app = app
        self._log = log
        self._stop = anyio.Event()
        self._tls = tls
        self._connections = connections
        self._acceptor: Acceptor | TLSAcceptor[HTTPConnection] | None = None
        self._turned_away = 0
        self._failed: list[str] = []

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Listen, call `task_status.started()`, and serve until `stop`. Raises ListenError."""
        server = self._server()
        bound = BoundSockets(self.addresses)
        try:
            self.address = bound.address
            await server.startup(sockets=[])  # the sockets of uvicorn's own accept until no descriptor is left
            try:
                await self._accept(server, bound)
                self._log.info("HTTP server listens", address=str(bound))
                task_status.started()
                while not self._stop.is_set():
                    await server.on_tick(0)  # sets the Date header
                    self._log_turned_away(bound)
                    self._log_failed(bound)
                    with anyio.move_on_after(1):
                        await self._stop.wait()
            finally:
                if self._acceptor is not None:
                    self._acceptor.close()
                await _shut_down(server)
                if isinstance(self._acceptor, TLSAcceptor):
                    await self._acceptor.wait_closed()
        finally:
            bound.close()

    async def stop(self) -> None:
        """Stop accepting connections, and let `serve` return once the responses under way are sent."""
        self._stop.set()

    def use_certificate(self, tls: ssl.SSLContext) -> None:
        """Shake hands with this context from now on, in place of the one of before."""
        self._tls = tls
        if isinstance(self._acceptor, TLSAcceptor):
            self._acceptor.context = tls

    async def _accept(self, server: uvicorn.Server, bound: BoundSockets) -> None:
        reserve = Reserve(RESERVE, bound, self._log)
        if self._tls is None:
            self._acceptor = acceptor = Acceptor(bound, partial(self._connection, server), reserve)
            await acceptor.start()
            return
        self._acceptor = shaking = TLSAcceptor(
            bound,
            reserve,
            self._log,
            context=self._tls,
            timeout=HANDSHAKE_TIMEOUT,
            enter=partial(self._enter, server),
            ended=self._shook_hands,
        )
        shaking.start()

    def _enter(self, server: uvicorn.Server, _: object) -> HTTPConnection | None:
        """Return the protocol of a connection that shakes hands; None where there are too many of both."""
        assert isinstance(self._acceptor, TLSAcceptor)
        if len(server.server_state.connections) + self._acceptor.pending < self._most:
            return self._connection(server)
        self._turn_away()
        return None

    def _shook_hands(self, _: HTTPConnection, peer: Any, error: OSError | None) -> None:
        if isinstance(error, ConnectionResetError):  # the client has ended it: a health check, for example
            self._log.debug("TLS handshake failed", remote_addr=peer_text(peer), reason=handshake_fault(error))
        elif error is not None:
            reason = "plain HTTP on a port with TLS; use https://" if is_plain(error) else handshake_fault(error)
            self._failed.append(f"{peer_text(peer)}: {reason}")

    def _server(self) -> uvicorn.Server:
        import uvicorn  # here, because only a host with such a plugin needs it

        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # a client's wrong request is not the host's warning
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_TIMEOUT + 1,  # for an application that survives its client
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        return server

    def _connection(self, server: uvicorn.Server) -> HTTPConnection:
        from .http_connection import HTTPConnection

        return HTTPConnection(
            self._turn_away,
            self._most,
            config=server.config,
            server_state=server.server_state,
            app_state=server.lifespan.state,
        )

    @property
    def _most(self) -> int:
        from . import http_connection

        most = self._connections or http_connection.MAX_CONNECTIONS
        return max(1, min(most, descriptor_limit() // SHARE))  # a program may change its limit at any time

    def _turn_away(self) -> None:
        self._turned_away += 1

    def _log_turned_away(self, bound: BoundSockets) -> None:
        if self._turned_away:
            self._log.warning("HTTP connections turned away", count=self._turned_away, address=str(bound))
            self._turned_away = 0

    def _log_failed(self, bound: BoundSockets) -> None:
        if self._failed:
            count, last = len(self._failed), self._failed[-1]
            self._log.warning("TLS handshakes failed", count=count, last=last, address=str(bound))
            self._failed.clear()


async def _shut_down(server: uvicorn.Server) -> None:
    """Let the responses under way end; cut the rest after DRAIN_TIMEOUT, for uvicorn would log them as a fault.

    Cut them at once where the plugin is cancelled: its grace period is over.
    """
    ending = asyncio.get_running_loop().create_task(server.shutdown())
    try:
        with anyio.move_on_after(DRAIN_TIMEOUT):
            await asyncio.shield(ending)
    finally:
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        with anyio.CancelScope(shield=True):
            await ending
