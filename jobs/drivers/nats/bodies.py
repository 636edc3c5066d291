"""Bodies above the server's `max_payload`, in an object store beside the stream.

The object is stored before the job, and removed after its acknowledgement. The server removes one that was forgotten
after 14 days.

An object is a run of chunks on one subject, then their description on another, as NATS's clients for object stores
have it (ADR-20). The host publishes the chunks itself, as pieces of the body that it holds: nats-py's `put` copies each
byte three times, in chunks of 128 KiB. A chunk has an id, so one that is sent again is stored once.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from ...errors import Away, Full, Rejected
from ...job import new_id
from .config import NatsPipeline
from .message import MSG_ID, VERSION
from .requests import Requests

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

KEPT: Final = 14 * 24 * 3600.0
"""Seconds after which the server removes an object."""
_PAUSE: Final = 0.25
_CHUNK: Final = 512 * 1024
_HEADERS: Final = 1024
"""Bytes of a message that the chunk leaves free, where the server takes less than a whole one."""


class Bodies:
    """The object store of one pipeline. `client` returns the client of the connection, None while there is none."""

    def __init__(self, pipeline: NatsPipeline, requests: Requests, client: Callable[[], Client | None]) -> None:
        self._bucket = pipeline.bucket
        self._stream = f"OBJ_{pipeline.bucket}"
        self._replicas = pipeline.replicas
        self._requests = requests
        self._client = client

    async def put(self, name: str, parts: Sequence[bytes], timeout: float) -> None:
        """Store a body under a new name; again over the next connection where one is lost, in place of the first.

        `parts`: the body, one after the other. Raises Full, Rejected, and Away after `timeout` seconds.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        reason = "NATS is away"
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    try:
                        await self._put(name, parts, deadline)
                    except (asyncio.CancelledError, Full, Rejected):
                        raise
                    except Exception as error:  # nats-py raises what the socket, the server or its time limit raise
                        reason = str(error) or type(error).__name__
                        await asyncio.sleep(_PAUSE)
                    else:
                        return
        except TimeoutError:
            raise Away(f"NATS did not store the body of a job in time: {reason}") from None

    async def _put(self, name: str, parts: Sequence[bytes], deadline: float) -> None:
        from nats.js.errors import NotFoundError

        jetstream = self._jetstream()
        await self._make(jetstream)
        try:
            before = (await (await jetstream.object_store(self._bucket)).get_info(name)).nuid
        except NotFoundError:
            before = ""
        new = new_id()
        try:
            await self._publish(name, new, parts, deadline)
        except (Full, Rejected):
            before = new
            raise
        finally:
            if before:
                with suppress(Exception):  # the chunks of an object without a description go after 14 days
                    await jetstream.purge_stream(self._stream, subject=self._chunks(before))

    async def _publish(self, name: str, number: str, parts: Sequence[bytes], deadline: float) -> None:
        """Publish the chunks, each after the acknowledgement of the one before, then their description."""
        client = self._client()
        step = min(_CHUNK, client.max_payload - _HEADERS) if client is not None else _CHUNK
        digest = hashlib.sha256()
        count = 0
        for part in parts:
            for at in range(0, len(part), step):
                chunk = memoryview(part)[at : at + step]
                digest.update(chunk)
                await self._ask(self._chunks(number), chunk, f"{MSG_ID}: {number}.{count}", deadline)
                count += 1
        description = {
            "name": name,
            "bucket": self._bucket,
            "nuid": number,
            "size": sum(map(len, parts)),
            "chunks": count,
            "digest": f"SHA-256={base64.urlsafe_b64encode(digest.digest()).decode()}",
            "mtime": datetime.now(UTC).isoformat(),
            "options": {"max_chunk_size": step},
        }
        subject = f"$O.{self._bucket}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"
        await self._ask(subject, msgspec.json.encode(description), "Nats-Rollup: sub", deadline)

    async def _ask(self, subject: str, body: bytes | memoryview, header: str, deadline: float) -> None:
        left = deadline - asyncio.get_running_loop().time()
        await self._requests.ask(subject, body, f"{VERSION}{header}\r\n\r\n".encode(), timeout=left)

    def _chunks(self, number: str) -> str:
        return f"$O.{self._bucket}.C.{number}"

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
                    self._stream, seq=sequence + 1, subject=self._chunks(info.nuid), next=True
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

    async def _make(self, jetstream: JetStreamContext) -> None:
        """Make the object store where it is not there."""
        from nats.js import api
        from nats.js.errors import NotFoundError

        try:
            await jetstream.object_store(self._bucket)
        except NotFoundError:
            config = api.ObjectStoreConfig(bucket=self._bucket, ttl=KEPT, replicas=self._replicas)
            await jetstream.create_object_store(self._bucket, config=config)

    def _jetstream(self) -> JetStreamContext:
        client = self._client()
        if client is None:
            raise Away("NATS is away")
        return client.jetstream()
