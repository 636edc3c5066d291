"""One client's connection: frames in, methods run, frames out.

What we want: requests run concurrently; a client that does not read its replies holds up nobody else and no more than
`MAX_IN_FLIGHT` replies; a client that has shut down its sending side still gets its replies; a method that waits for
ever does not hold up the host's end.
What we do: a request takes a slot until its reply is out of our hands; without a free one, nothing more is read. A
frame is written in one piece, so that frames never interleave. Every call runs in a cancel scope; the end is nothing
but deadlines on these scopes.
What can still fail: a client that goes away in silence looks like one that has shut down its sending side, so the calls
that it had made run to their end.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import anyio
from anyio.abc import TaskGroup

from ..container.errors import HostError
from ..container.net.address import peer_text
from ..container.protocols import Logger
from ..goridge.frame import Decoder, FrameError, encode
from .codecs import codec_flag, codec_of
from .errors import BadRequest
from .message import Message, read_message
from .registry import Registry

MAX_IN_FLIGHT: Final = 64
"""Requests of one connection that run, or wait for the client to read their replies."""
STOP_PATIENCE: Final = 1.0
"""Seconds that a running call gets when the host stops; as long again, its reply has to leave."""

_READ_SIZE = 65536


class Connection:
    """A connection that `serve` serves until the client leaves or `stop` is called."""

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
        """Serve, then close. Raises nothing that a client can cause."""
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
        """Read no more; give what runs `STOP_PATIENCE`, then its clients an error. `serve` ends soon after."""
        now = anyio.current_time()
        for call in self._calls:
            call.deadline = now + STOP_PATIENCE
        self._life.deadline = now + 2 * STOP_PATIENCE
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
            reply = await self._reply(request, call)
            # Nobody is there to hear it once the transport closes.
            if not self._writer.transport.is_closing():
                self._writer.write(reply)
                await self._writer.drain()
        except OSError:
            pass  # The client is gone; the reader sees it too, unless it had said goodbye before.
        finally:
            self._calls.discard(call)
            self._slots.release()

    async def _reply(self, request: Message, call: anyio.CancelScope) -> bytes:
        """Return the bytes of the response, whatever happens in the method."""
        text = "rpc: the host is stopping"
        try:
            with call:
                codec = codec_of(request.flags)
                body = await self._registry.find(request.name).run(codec, request.body)
                return encode(request.result(codec.flag, body).frame())
        except (HostError, ValueError) as error:
            text = str(error) or type(error).__name__
        except Exception:
            text = self._internal_error(request)
        except asyncio.CancelledError:
            # Ours to pass on only if it is us who are cancelled, and not something that the method waited for.
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
            # Shielded: who is cancelled here would cancel the future that the next one waits for.
            await asyncio.shield(self._writer.wait_closed())
