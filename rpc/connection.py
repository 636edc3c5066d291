"""One client's connection: it reads requests, runs their methods, and writes responses.

What we want: requests run concurrently. A client that does not read its responses delays no other client, and holds at
most `MAX_IN_FLIGHT` responses. A client that has shut down its sending side still gets its responses. A method that
waits for ever does not delay the host's end.
What we do: a request takes a slot until the transport has its response; without a free slot nothing more is read. A
frame is written in one piece, so that frames never interleave. Every call runs in a cancel scope; a stop only sets
deadlines on these scopes.
What can still fail: a client that vanishes looks like one that has shut down its sending side, so its calls run to
their end.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import anyio
from anyio.abc import TaskGroup

from ..container.errors import HostError
from ..container.masking import mask_text
from ..container.net.address import peer_text
from ..container.protocols import Logger
from ..goridge.frame import Decoder, FrameError, encode
from .codecs import codec_flag, codec_of
from .errors import BadRequest
from .message import Message, read_message
from .registry import Registry

MAX_IN_FLIGHT: Final = 64
"""Requests of one connection that run, or wait for the client to read their responses."""
STOP_TIMEOUT: Final = 1.0
"""Seconds that a running call has after a stop; its response then has the same time to leave."""

_READ_SIZE = 65536


class RPCConnection:
    """A client's connection; `serve` runs until the client leaves or `stop` is called. `remote`: its address."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        registry: Registry,
        log: Logger,
        max_frame_bytes: int,
    ) -> None:
        self.remote = peer_text(writer.get_extra_info("peername"))
        self._reader = reader
        self._writer = writer
        self._registry = registry
        self._log = log
        self._decoder = Decoder(max_frame_bytes)
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._calls: set[anyio.CancelScope] = set()
        self._reading = anyio.CancelScope()
        self._life = anyio.CancelScope()

    async def serve(self) -> None:
        """Serve, then close. No act of a client makes it raise."""
        try:
            with self._life:
                async with anyio.create_task_group() as requests:
                    with self._reading:
                        await self._read(requests)
                await self._close()
        finally:
            self._writer.transport.abort()
            with anyio.CancelScope(shield=True):
                await self._close()

    def stop(self) -> None:
        """Read no more. Running calls have `STOP_TIMEOUT`; then their client gets an error, and `serve` ends."""
        now = anyio.current_time()
        for call in self._calls:
            call.deadline = now + STOP_TIMEOUT
        self._life.deadline = now + 2 * STOP_TIMEOUT
        self._reading.cancel()

    async def _read(self, requests: TaskGroup) -> None:
        try:
            while data := await self._reader.read(_READ_SIZE):
                for frame in self._decoder.feed(data):
                    request = read_message(frame)
                    await self._slots.acquire()
                    call = anyio.CancelScope()
                    self._calls.add(call)
                    requests.start_soon(self._answer, request, call)
            self._decoder.eof()
        except (FrameError, BadRequest) as error:
            self._log.warning("rpc connection dropped", remote=self.remote, reason=str(error))
        except OSError as error:
            self._log.debug("rpc connection lost", remote=self.remote, reason=str(error))
        else:
            return
        requests.cancel_scope.cancel()
        self._writer.transport.abort()

    async def _answer(self, request: Message, call: anyio.CancelScope) -> None:
        try:
            response = await self._response(request, call)
            # A transport that closes has no reader for it.
            if not self._writer.transport.is_closing():
                self._writer.write(response)
                await self._writer.drain()
        except OSError:
            pass  # the client is gone; `_read` sees that too, unless its input had ended before
        finally:
            self._calls.discard(call)
            self._slots.release()

    async def _response(self, request: Message, call: anyio.CancelScope) -> bytes:
        """Return the bytes of the response, also for a method that fails."""
        text = "rpc: the host is stopping"
        try:
            with call:
                codec = codec_of(request.flags)
                body = await self._registry.find(request.name).run(codec, request.body)
                return encode(request.result(codec.flag, body).frame())
        except (HostError, ValueError) as error:
            text = mask_text(str(error)) or type(error).__name__
        except Exception:
            text = self._internal_error(request)
        except asyncio.CancelledError:
            # Pass it on only when this task is cancelled, not when the method awaited something cancelled.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            text = self._internal_error(request)
        return encode(request.error(codec_flag(request.flags), text).frame())

    def _internal_error(self, request: Message) -> str:
        self._log.exception("rpc method failed", method=request.name, remote=self.remote)
        return f"rpc: internal error in {request.name}"

    async def _close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            # Shielded: a cancellation here would cancel the future that the next call of `_close` waits for.
            await asyncio.shield(self._writer.wait_closed())
