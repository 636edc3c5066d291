"""What nats-py's client has no public way for: to refuse a server without TLS, to drop a connection, and to be fast.

Methods of nats-py with an underscore are called here, and in no other module.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error

from .message import parse_headers

_PIECE: Final = 64 * 1024
"""Bytes of a body from which it goes to the socket as it is; a smaller one is copied with its command."""
_AGAIN: Final = 3.0
"""Seconds; longer than a task takes to close its client."""


class DriverClient(Client):
    """The client of one connection. `must_encrypt`: a server without TLS is refused."""

    def __init__(self, *, must_encrypt: bool) -> None:
        super().__init__()
        self._must_encrypt = must_encrypt

    async def send(self, subject: str, reply: str, headers: bytes, body: bytes | memoryview) -> None:
        """Send a message whose headers are bytes already. `publish` checks and encodes each header's line.

        Without a limit on unsent bytes `_send_command` never waits, so the pieces of a message stay together.
        """
        kind = f"HPUB {subject} {reply} {len(headers)}" if headers else f"PUB {subject} {reply}"
        start = f"{kind} {len(headers) + len(body)}\r\n".encode() + headers
        if len(body) < _PIECE:
            await self._send_command(b"".join((start, body, b"\r\n")))
        else:
            for piece in (start, body, b"\r\n"):
                await self._send_command(piece)  # type: ignore[arg-type]  # the socket takes a view as well
        if self._flush_queue is not None and self._flush_queue.empty():
            await self._flush_pending()

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        """Read headers in a sixth of nats-py's time."""
        return parse_headers(headers) if headers else None

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """Refuse a server without TLS: nats-py goes on, and sends the password in the clear."""
        if self._must_encrypt and initial_connection and not info.get("tls_required"):
            raise Error("the server offers no TLS, and the configuration asks for it")
        await super()._process_info(info, initial_connection)

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        """Drop the connection, and report it. nats-py's own waits for the server to take the bytes that are left.

        Where that fails, the subscriptions go on, and the loss is not reported. Here `end` ends all tasks.
        """
        if self.is_closed:
            return
        self._status = status
        if (writer := getattr(self._transport, "_io_writer", None)) is not None:
            writer.transport.abort()
        if do_cbs and self._closed_cb is not None:
            await self._closed_cb()


async def end(client: Client, *others: asyncio.Task[Any]) -> None:
    """Close a client, and return after the end of each of its tasks and the others, however the connection ended."""
    await client.close()
    tasks = [
        client._reading_task,
        client._flusher_task,
        client._ping_interval_task,
        *(each._wait_for_msgs_task for each in client._subs.values()),
    ]
    await cancel(*others, *(task for task in tasks if task is not None))
    await asyncio.sleep(0)  # the transport closes its socket one turn after `abort`


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and return after their end. A cancellation of the caller counts after that.

    A task that goes on is cancelled again: nats-py waits by `wait_for`, which can lose a cancellation before 3.12.
    """
    interruption: asyncio.CancelledError | None = None
    while alive := [task for task in tasks if not task.done()]:
        for task in alive:
            task.cancel()
        try:
            await asyncio.wait(alive, timeout=_AGAIN)
        except asyncio.CancelledError as error:
            interruption = error
    if interruption is not None:
        raise interruption
