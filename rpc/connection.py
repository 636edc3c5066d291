"""One client's connection: it reads requests, runs their methods, and writes responses.

What we want: requests run concurrently. A client that does not read its responses, or does not end its request, delays
no other client and holds little memory, and not for long. A client that has shut down its sending side still gets its
responses. A method that waits for ever does not delay the host's end.
What we do: a method that does not wait runs and is answered at once; one that waits does so in a task of its own. A
request takes a slot until the client has read most responses. Without a free slot nothing more is read. While the
client leaves responses unread, no call begins and no result is encoded. A request that has begun has
`REQUEST_TIMEOUT`, and all bytes count in the budget of the server (budget.py). A frame is written in one piece, so that
frames never interleave. Every call runs in a cancel scope; a stop only sets deadlines on these scopes.
What can still fail: a client that vanishes looks like one that has shut down its sending side, so its calls run to
their end.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
from collections.abc import Awaitable
from typing import Final

import anyio
from anyio.abc import TaskGroup

from ..container.errors import FAULTS, HostError, innermost
from ..container.heap import CONNECTION_BYTES, HEAP
from ..container.masking import mask_text
from ..container.net.address import peer_text
from ..container.protocols import Logger
from ..goridge.frame import HEADER_SIZE, Decoder, Frame, FrameError, FrameTooLarge, encode
from .budget import Budget
from .codecs import Codec, codec_flag, codec_of
from .errors import BadRequest, RPCError
from .message import Message, read_message, read_start
from .registry import Method, Registry

MAX_IN_FLIGHT: Final = 64
"""Requests of one connection that run, or wait for the client to read their responses."""
STOP_TIMEOUT: Final = 1.0
"""Seconds that a running call has after a stop; its response then has the same time to leave."""
REQUEST_TIMEOUT: Final = 30.0
"""Seconds from the first byte of a request to its last one."""
READ_TIMEOUT: Final = 30.0
"""Seconds in which a client must read a part of the responses that wait for it."""
MAX_ERROR: Final = 64 * 1024
"""Characters of an error's text that its client gets: a worker may send any number."""
MAX_UNREAD: Final = 64 * 1024
"""Bytes of responses that a client may leave unread before the next call begins, or its result is encoded."""
LARGE: Final = 4096
"""Bytes of an argument above which a call waits for a turn of the event loop that decodes no other large one."""
RESPONSE_PART: Final = 16
"""A response counts as one part of so many of the budget at most: a single one may be larger than the budget."""
REFUSAL_TIMEOUT: Final = 1.0
"""Seconds that a refused client has for its request, and for reading the refusal."""

_READ_SIZE = 65536


class RPCConnection:
    """A client's connection; `serve` runs until the client leaves or `stop` is called. `remote`: its address.

    `refusal`: where it is not empty, the connection answers one request with this error, and ends.
    `asked`: whether a call has ended. `last_used`: the loop's time of the last end of a call, before it of the start.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        registry: Registry,
        log: Logger,
        budget: Budget,
        *,
        max_frame_bytes: int,
        refusal: str = "",
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.asked = False
        self.last_used = self._loop.time()
        self.remote = peer_text(writer.get_extra_info("peername"))
        self._reader = reader
        self._writer = writer
        self._registry = registry
        self._log = log
        self._decoder = Decoder(max_frame_bytes)
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._answered = 0
        self._calls: set[anyio.CancelScope] = set()
        self._reading = anyio.CancelScope()
        self._refusal = refusal
        self._life = anyio.CancelScope(deadline=self.last_used + REFUSAL_TIMEOUT if refusal else math.inf)
        self._budget = budget
        self._share = budget.share(self._drop)
        self._request_deadline: float | None = None
        writer.transport.set_write_buffer_limits(MAX_UNREAD)

    @property
    def calling(self) -> bool:
        """Whether a call runs, or its response waits for the client."""
        return bool(self._calls)

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
            self._share.leave()
            HEAP.freed(CONNECTION_BYTES)
            self._decoder = Decoder()  # half a request may be large, and this object may outlive its last use
            with anyio.CancelScope(shield=True):
                await self._close()

    def stop(self) -> None:
        """Read no more. Running calls have `STOP_TIMEOUT`; then their client gets an error, and `serve` ends."""
        now = self._loop.time()
        for call in self._calls:
            call.deadline = now + STOP_TIMEOUT
        self._life.deadline = now + 2 * STOP_TIMEOUT
        self._reading.cancel()

    async def _read(self, requests: TaskGroup) -> None:
        try:
            while data := await self._receive():
                self._share.change(len(data))
                frames = self._decoder.feed(data)
                if frames:
                    self._request_deadline = None
                for frame in frames:
                    await self._answer(read_message(frame), _size(frame), requests)
                    if self._refusal:
                        return
            self._decoder.eof()
        except FrameTooLarge as error:
            self._log.warning("rpc connection dropped", remote=self.remote, reason=str(error))
            with contextlib.suppress(OSError, BadRequest), anyio.move_on_after(REQUEST_TIMEOUT):
                await self._refuse_large(error)
            return
        except (FrameError, BadRequest) as error:
            self._log.warning("rpc connection dropped", remote=self.remote, reason=str(error))
        except OSError as error:
            self._log.debug("rpc connection lost", remote=self.remote, reason=str(error))
        else:
            return
        requests.cancel_scope.cancel()
        self._writer.transport.abort()

    async def _refuse_large(self, error: FrameTooLarge) -> None:
        """Answer a request over the limit, and read it to its end without keeping it.

        A client reads nothing before it has sent its whole request; bytes left unread would reset the connection, and
        the answer with it. Raises BadRequest for a frame that has no answer.
        """
        head, left = error.data, error.missing
        text = f"rpc: the request has {error.length} bytes, more than {error.limit} (rpc.max_frame_bytes)"
        request = None
        while True:
            if request is None and (request := read_start(head)):
                self._writer.write(encode(request.error(codec_flag(request.flags), text).frame()))
            data = await self._reader.read(min(left, _READ_SIZE))
            if not data:
                return
            left -= len(data)
            head += data if request is None else b""

    async def _receive(self) -> bytes:
        """Return the next bytes, none at the end. Raises BadRequest for a request that takes too long."""
        if not self._decoder.pending:
            return await self._reader.read(_READ_SIZE)
        if self._request_deadline is None:
            self._request_deadline = self._loop.time() + REQUEST_TIMEOUT
        with anyio.CancelScope(deadline=self._request_deadline):
            return await self._reader.read(_READ_SIZE)
        raise BadRequest(f"a request was not complete after {REQUEST_TIMEOUT:g} s")

    async def _answer(self, request: Message, held: int, requests: TaskGroup) -> None:
        """Call a method; write its response now, or in a task where it waits. `held`: bytes for it in the budget."""
        await self._slots.acquire()
        ends = True
        try:
            await self._until_read()
            if len(request.body) > LARGE:
                async with self._budget.turn:
                    await asyncio.sleep(0)
            called = self._call(request)
            if isinstance(called, bytes):
                await self._write(called)
            else:
                scope = anyio.CancelScope()
                self._calls.add(scope)
                requests.start_soon(self._wait, request, held, called, scope)
                ends = False
        finally:
            if ends:
                self._end(held)
        self._answered += 1
        if not self._answered % MAX_IN_FLIGHT:
            await asyncio.sleep(0)  # others have their turn

    async def _wait(self, request: Message, held: int, result: Awaitable[bytes], scope: anyio.CancelScope) -> None:
        """Wait for the response of a method, and write it. `scope`: its deadline ends the method."""
        try:
            await self._write(await self._response(request, result, scope))
        finally:
            self._calls.discard(scope)
            self._end(held)

    def _end(self, held: int) -> None:
        self._slots.release()
        self._share.change(-held)
        HEAP.freed(held)
        self.asked = True
        self.last_used = self._loop.time()

    async def _write(self, response: bytes) -> None:
        """Write a response. Where the client leaves too much unread, count it until that is read."""
        transport = self._writer.transport
        if transport.is_closing():
            return  # without a reader
        self._writer.write(response)
        if transport.get_write_buffer_size() > MAX_UNREAD:
            counted = min(len(response), self._budget.limit // RESPONSE_PART)
            self._share.change(counted)
            try:
                await self._until_read()
            finally:
                self._share.change(-counted)
                HEAP.freed(counted)

    async def _until_read(self) -> None:
        """Wait until the client has read most of its responses, or is gone.

        Drop a client that reads nothing for `READ_TIMEOUT`.
        """
        transport = self._writer.transport
        while (unread := transport.get_write_buffer_size()) > MAX_UNREAD and not transport.is_closing():
            with anyio.move_on_after(READ_TIMEOUT) as limit, contextlib.suppress(OSError):
                await self._writer.drain()
                await asyncio.sleep(0)  # uvloop may write first at the end of its turn
            if limit.cancelled_caught and transport.get_write_buffer_size() >= unread:
                self._drop(f"it has read nothing of its responses for {READ_TIMEOUT:g} s")

    def _call(self, request: Message) -> bytes | Awaitable[bytes]:
        """Call the method of a request. Return the bytes of the response, or where it waits, what ends with them."""
        try:
            if self._refusal:
                raise RPCError(self._refusal)
            method = self._registry.find(request.name)
            codec = codec_of(request.flags)
            result = method.call(*method.arguments(codec, request.body))
            if inspect.isawaitable(result):
                return self._awaited(request, method, codec, result)
            return _encoded(request, method, codec, result)
        except (*FAULTS, asyncio.CancelledError) as error:  # it awaits nothing, so that the method raised the last
            return self._error(request, error)

    async def _awaited(self, request: Message, method: Method, codec: Codec, result: Awaitable[object]) -> bytes:
        value = await result
        await self._until_read()
        return _encoded(request, method, codec, value)

    async def _response(self, request: Message, result: Awaitable[bytes], scope: anyio.CancelScope) -> bytes:
        """Return the bytes of the response of a method that waits, also when it fails."""
        try:
            with scope:
                return await result
        except FAULTS as error:
            return self._error(request, error)
        except asyncio.CancelledError as error:
            # Pass it on only when this task is cancelled, not when the method awaited something cancelled.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return self._error(request, error)
        return _failed(request, "rpc: the host is stopping")

    def _error(self, request: Message, error: BaseException) -> bytes:
        """Return the bytes of the response to a call that failed. Log what is a fault of the method."""
        cause = innermost(error)
        if isinstance(cause, (HostError, ValueError)):
            text = mask_text(str(cause)[:MAX_ERROR]) or type(cause).__name__
        else:
            self._log.exception("rpc method failed", method=request.name, remote=self.remote)
            text = f"rpc: internal error in {request.name}"
        return _failed(request, text)

    def _drop(self, reason: str) -> None:
        self._log.warning("rpc connection dropped", remote=self.remote, reason=reason)
        self._life.cancel()

    async def _close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            # Shielded: a cancellation here would cancel the future that the next call of `_close` waits for.
            await asyncio.shield(self._writer.wait_closed())


def _encoded(request: Message, method: Method, codec: Codec, result: object) -> bytes:
    return encode(request.result(codec.flag, method.encoded(codec, result)).frame())


def _failed(request: Message, text: str) -> bytes:
    return encode(request.error(codec_flag(request.flags), text).frame())


def _size(frame: Frame) -> int:
    """Return the bytes of a request's frame on the wire."""
    return HEADER_SIZE + 4 * len(frame.options) + len(frame.payload)
