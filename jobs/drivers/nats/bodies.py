"""Bodies above the server's `max_payload`, in an object store beside the stream.

The object is stored before the job, and removed after its acknowledgement. The server removes one that was forgotten
after 14 days.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...errors import Away, Rejected
from .config import NatsPipeline

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.object_store import ObjectStore

KEPT: Final = 14 * 24 * 3600.0
"""Seconds after which the server removes an object."""
_PAUSE: Final = 0.25


class Bodies:
    """The object store of one pipeline. `client` returns the client of the connection, None while there is none."""

    def __init__(self, pipeline: NatsPipeline, client: Callable[[], Client | None]) -> None:
        self._bucket = pipeline.bucket
        self._replicas = pipeline.replicas
        self._client = client

    async def put(self, name: str, body: bytes, timeout: float) -> None:
        """Store a body under this name; again over the next connection where one is lost. A repetition replaces it.

        Raises Away after `timeout` seconds.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        reason = "NATS is away"
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    try:
                        await (await self._store(self._jetstream())).put(name, body)
                    except asyncio.CancelledError:
                        raise
                    except Exception as error:  # nats-py raises what the socket, the server or its time limit raise
                        reason = str(error) or type(error).__name__
                        await asyncio.sleep(_PAUSE)
                    else:
                        return
        except TimeoutError:
            raise Away(f"NATS did not store the body of a job in time: {reason}") from None

    async def get(self, name: str, size: int) -> bytes:
        """Return a body of so many bytes. It reads chunk by chunk: nats-py's own reading takes ten times as long.

        Raises Rejected for one that is gone, and Away where the server does not give all of it now.
        """
        from nats.js.errors import NotFoundError

        try:
            jetstream = self._jetstream()
            info = await (await jetstream.object_store(self._bucket)).get_info(name)
            parts: list[bytes] = []
            sequence = 0
            for _ in range(info.chunks or 0):
                message = await jetstream.get_msg(
                    f"OBJ_{self._bucket}", seq=sequence + 1, subject=f"$O.{self._bucket}.C.{info.nuid}", next=True
                )
                parts.append(message.data or b"")
                sequence = message.seq or 0
        except NotFoundError:
            raise Rejected(f"the body of the job is not in the object store {self._bucket}") from None
        except Away:
            raise
        except Exception as error:  # nats-py raises what the socket, the server or its time limit raise
            raise Away(f"NATS did not give the body of a job: {str(error) or type(error).__name__}") from error
        body = b"".join(parts)
        if len(body) != size:
            raise Away(f"NATS gave {len(body)} of {size} bytes of the body of a job")
        return body

    async def delete(self, name: str) -> None:
        """Remove a body. One that cannot be removed now goes after 14 days."""
        try:
            await (await self._jetstream().object_store(self._bucket)).delete(name)
        except asyncio.CancelledError:
            raise
        except Exception:  # nats-py raises what the socket, the server or its time limit raise
            return

    async def _store(self, jetstream: JetStreamContext) -> ObjectStore:
        from nats.js import api
        from nats.js.errors import NotFoundError

        try:
            return await jetstream.object_store(self._bucket)
        except NotFoundError:
            config = api.ObjectStoreConfig(bucket=self._bucket, ttl=KEPT, replicas=self._replicas)
            return await jetstream.create_object_store(self._bucket, config=config)

    def _jetstream(self) -> JetStreamContext:
        client = self._client()
        if client is None:
            raise Away("NATS is away")
        return client.jetstream()
