"""What nats-py's client has no public way for: to refuse a server without TLS, and to drop a connection."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error

_CLOSE_TIMEOUT: Final = 1.0


class _EncryptedClient(Client):
    """nats-py goes on without TLS where the server does not ask for it, and sends the password in the clear."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if initial_connection and not info.get("tls_required"):
            raise Error("the server offers no TLS, and the configuration asks for it")
        await super()._process_info(info, initial_connection)


def new_client(*, must_encrypt: bool) -> Client:
    """Return a client that is not connected."""
    return _EncryptedClient() if must_encrypt else Client()


async def end(client: Client) -> None:
    """Close a client. A server that takes no bytes does not hold it up: nats-py's `close` waits for such a one."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(client.close(), _CLOSE_TIMEOUT)
        return
    writer = getattr(client._transport, "_io_writer", None)
    if writer is not None:
        writer.transport.abort()
    tasks = [
        client._reading_task,
        client._flusher_task,
        client._ping_interval_task,
        *(each._wait_for_msgs_task for each in client._subs.values()),
    ]
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
