"""The connection to NATS: a client of nats-py for each connection, and a new one after each loss.

What we want: a lost connection loses no request, sends none that was refused, and is a state that status shows.
nats-py's own reconnection keeps bytes of before the loss and sends them later; it ends for good at many errors of the
server; and its close waits for a stopped server to take the bytes. So a client has one connection here. This module
makes the next client, with a growing pause. What it needs again (streams, subscriptions) the function `prepare` makes.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ....container.errors import IllegalTransition
from ....container.masking import mask_text
from ...errors import JobsError, Rejected
from .client import DriverClient, cancel, end
from .config import NatsConfig
from .errors import Differs
from .requests import Requests

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

_PING: Final = 2.0
"""Seconds between two pings."""
_PONG_TIMEOUT: float = 4.0
"""Seconds without an answer to a ping, after which the connection counts as lost."""
_CONNECT: Final = 5
_OPENING: Final = 10.0
_PAUSES: Final = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
_STABLE: Final = 1.0
"""Seconds after which the loss of a connection is the first one again, so that the next is made at once."""


class State(enum.Enum):
    """The state of the connection."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    REFUSED = "refused"
    CLOSED = "closed"


_AFTER_A_LOSS: Final = {"connect": State.CONNECTED, "refuse": State.REFUSED, "close": State.CLOSED}
TABLE: Final[Mapping[State, Mapping[str, State]]] = {
    State.CONNECTING: {**_AFTER_A_LOSS, "lose": State.CONNECTING},
    State.CONNECTED: {"lose": State.RECONNECTING, "refuse": State.REFUSED, "close": State.CLOSED},
    State.RECONNECTING: {**_AFTER_A_LOSS, "lose": State.RECONNECTING},
    State.REFUSED: {**_AFTER_A_LOSS, "lose": State.RECONNECTING},
    State.CLOSED: {"close": State.CLOSED},
}
"""A refused connection is tried again too: an administrator may give the permission back."""


class Connection:
    """One connection that is made again until `aclose`.

    `prepare(client)` runs on each new client before the state is connected. `changed(state, reason)` hears each
    change; secrets in the reason are masked.
    """

    def __init__(
        self,
        config: NatsConfig,
        prepare: Callable[[Client], Awaitable[None]],
        changed: Callable[[State, str], None] = lambda state, reason: None,
    ) -> None:
        self.requests = Requests()
        self.state = State.CONNECTING
        self.reason = ""
        self.client: Client | None = None
        self._config = config
        self._prepare = prepare
        self._changed = changed
        self._lost = asyncio.Event()
        self._settled = asyncio.Event()
        self._fault: Exception | None = None
        self._task: asyncio.Task[None] | None = None
        self._addresses = config.addresses
        self._tls = config.context()

    async def open(self) -> None:
        """Start, and wait until a server is there, or none is. The driver goes on trying then.

        Raises Differs for a stream of other settings.
        """
        self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(_OPENING):
                await self._settled.wait()
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if isinstance(self._fault, Differs):
            await self.aclose()
            raise self._fault

    async def aclose(self) -> None:
        """Close the connection, and fail whatever has no answer. Idempotent."""
        try:
            if self._task is not None:
                await cancel(self._task)
        finally:
            self._task = None
            self.requests.close()
            self._go("close", "")

    def renew(self, reason: str) -> None:
        """End this connection, and make the next one, which runs `prepare` again."""
        self._fault = ConnectionError(reason)
        self._lost.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            try:
                await self._connect_and_stay()
                failures = 0 if loop.time() > began + _STABLE else failures + 1
                await asyncio.sleep(_pause(failures))
            except asyncio.CancelledError:
                raise
            except Exception as error:
                if self._fault is None or isinstance(error, JobsError):
                    self._fault = error  # what nats-py reports before says more than what it raises in the end
                text = mask_text(str(self._fault) or type(self._fault).__name__)
                refused = isinstance(error, (Differs, Rejected)) or "uthorization" in text or "ermission" in text
                self._go("refuse" if refused else "lose", text)
                failures += 1
                if refused or failures >= len(self._addresses):
                    self._settled.set()
                self._addresses.append(self._addresses.pop(0))
                await asyncio.sleep(_pause(failures))

    async def _connect_and_stay(self) -> None:
        """Connect, prepare, and send requests until the connection is lost."""
        address = self._addresses[0]
        client = DriverClient(must_encrypt=self._tls is not None)
        self._lost.clear()
        self._fault = None
        sender: asyncio.Task[None] | None = None
        try:
            await client.connect(
                address,
                name="rrpy",
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=_CONNECT,
                pending_size=-1,
                error_cb=self._heard,
                closed_cb=self._ended,
                user_credentials=self._config.credentials or None,
                tls=self._tls,
                tls_hostname=self._host_of_certificate(address),
                skip_subject_validation=True,  # every subject here is of our making
            )
            inbox = client.new_inbox()
            await client.subscribe(f"{inbox}.*", cb=self._answered, pending_bytes_limit=0, pending_msgs_limit=0)
            sender = asyncio.create_task(self.requests.send(client, inbox))
            sender.add_done_callback(self._ended_sending)
            self.client = client
            await self._first(self._prepare(client))
            self._learn(client)
            self._go("connect", "")
            self._settled.set()
            await self._stay(client)
        finally:
            self.client = None
            await end(client, *([sender] if sender is not None else []))
        reason = mask_text(str(self._loss()))
        self._go("refuse" if "ermission" in reason else "lose", reason)

    def _loss(self) -> Exception:
        return self._fault or ConnectionError("the server closed the connection")

    async def _first(self, preparation: Awaitable[None]) -> None:
        """Wait for the preparation, or for the loss of the connection."""
        preparing = asyncio.ensure_future(preparation)
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait((preparing, lost), return_when=asyncio.FIRST_COMPLETED)
            if preparing.done() and not preparing.cancelled():
                preparing.result()
            if self._lost.is_set():
                raise self._loss()
        finally:
            for each in (preparing, lost):
                each.cancel()
            await asyncio.gather(preparing, lost, return_exceptions=True)

    async def _stay(self, client: Client) -> None:
        """Return when the connection is lost, or when the server does not answer a ping."""
        while True:
            try:
                async with asyncio.timeout(_PING):
                    await self._lost.wait()
            except TimeoutError:
                try:
                    async with asyncio.timeout(_PONG_TIMEOUT):
                        await client.flush()
                except Exception as error:
                    self._fault = ConnectionError(f"the server does not answer: {type(error).__name__}")
                    return
            else:
                return

    def _learn(self, client: Client) -> None:
        """Know the addresses of the cluster's other servers, with the user and the password of our own.

        The server that answers stays the first.
        """
        own = self._config.addresses
        known = {urlsplit(address).netloc.rpartition("@")[2] for address in own}
        start = own[0].partition("://")[0], urlsplit(own[0]).netloc.rpartition("@")
        found = [
            f"{start[0]}://{''.join(start[1][:2])}{uri.netloc}"
            for uri in client.discovered_servers
            if uri.netloc not in known
        ]
        first = self._addresses[0]
        self._addresses = [first, *(address for address in [*own, *found] if address != first)]

    def _host_of_certificate(self, address: str) -> str | None:
        """Return the host that the certificate names. The cluster reports its other servers by address only."""
        own = self._config.addresses
        return urlsplit(own[0]).hostname if self._tls is not None and address not in own else None

    async def _answered(self, message: Msg) -> None:
        self.requests.answered(message)

    async def _heard(self, error: Exception) -> None:
        """Note an error of the server. A lost permission ends the connection, so that `prepare` asks again."""
        self._fault = error
        if "ermissions" in str(error):
            self.requests.refuse(str(error))
            self._lost.set()

    async def _ended(self) -> None:
        self._lost.set()

    def _ended_sending(self, sender: asyncio.Task[None]) -> None:
        if not sender.cancelled() and (error := sender.exception()) is not None:
            self.renew(f"a message could not be sent: {error}")

    def _go(self, event: str, reason: str) -> None:
        after = TABLE[self.state].get(event)
        if after is None:
            raise IllegalTransition("the connection to NATS", self.state, event)
        if (after, reason) != (self.state, self.reason):
            self.state, self.reason = after, reason
            self._changed(after, reason)


def _pause(failures: int) -> float:
    """Return the seconds before the next connection."""
    return _PAUSES[min(failures, len(_PAUSES) - 1)]
