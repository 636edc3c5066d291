"""The life of a worker whose handler is asynchronous: the laws of `loop`, on one event loop that lasts as long as it.

The event loop runs also while the worker waits for a request, so that background tasks and kept connections live. A
request is one task of its own. The relay never blocks the loop: what comes is read when it is there, what is to be sent
goes out as the host takes it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING

from ..goridge.frame import CONTROL, Frame, FrameError
from ..goridge.worker import LEAVING, is_stop, pid_payload, request_parts
from .exchange import Reply, Stopped, Wait, answers, report
from .loop import LEAVE_TIMEOUT, Life, take_stop
from .messages import Request

if TYPE_CHECKING:
    from .exchange import Exchange, Step


def live(life: Life, exchange: Exchange | None = None, wait: Wait | None = None) -> None:
    """Serve until told to stop; first go on with an exchange that has come to something to await.

    Raises FrameError and OSError as `Life.live` does; SystemExit and KeyboardInterrupt pass through.
    """
    with asyncio.Runner() as runner:  # not its run(), which would make a cancellation of the first KeyboardInterrupt
        runner.get_loop().run_until_complete(AsyncLife(life).live(exchange, wait))


class Stop:
    """The host's wish to end the stream that an exchange is."""

    def __init__(self) -> None:
        self.asked = False
        self._cancelled = False
        self._task: asyncio.Task[object] | None = None

    def ask(self) -> None:
        """End the stream: at once where it awaits, otherwise after the part that it is giving."""
        if not self.asked:
            self.asked = True
            if self._task is not None:
                self._cancelled = self._task.cancel()

    async def part(self, awaitable: Awaitable[object]) -> object:
        """Await a part of the stream. Raises Stopped when `ask` ends that, or has ended it before."""
        if self.asked:
            if isinstance(awaitable, Coroutine):
                awaitable.close()  # which is then not missed as never awaited
            raise Stopped
        task = self._task = asyncio.current_task()
        assert task is not None
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._cancelled and task.cancelling() == 1:
                raise Stopped from None
            raise
        finally:
            self._task = None
            if self._cancelled:
                task.uncancel()
                self._cancelled = False


async def drive(exchange: Exchange, step: Step, send: Callable[[Reply], Awaitable[None]], stop: Stop) -> None:
    """Take an exchange from this step to its end, within the task of the caller alone.

    One task, because what a stream opens before a part (a timeout, a task group) it closes after it.
    """
    while True:
        if isinstance(step, Wait):
            step = await _resolve(exchange, step, stop)
            continue
        await send(step)
        if not step.more:
            exchange.close()
            return
        step = exchange.throw(Stopped()) if stop.asked else next(exchange)


async def _resolve(exchange: Exchange, wait: Wait, stop: Stop) -> Step:
    try:
        result = await (stop.part(wait.awaitable) if wait.part else wait.awaitable)
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # the worker ends; a handler's own CancelledError is its error
        return exchange.throw(error)
    return exchange.send(result)


class AsyncLife:
    """A worker's life on an event loop. It takes over what the synchronous one has begun."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._relay = life.relay
        self._stop = Stop()
        self._running = False
        self._news = asyncio.Event()  # a frame, the end of the input, or SIGTERM
        self._ended = False
        self._failure: Exception | None = None  # FrameError or OSError

    async def live(self, exchange: Exchange | None, wait: Wait | None) -> None:
        """Serve until told to stop."""
        loop = asyncio.get_running_loop()
        os.set_blocking(self._relay.output, False)
        loop.add_signal_handler(signal.SIGTERM, self._on_sigterm)
        try:
            loop.add_reader(self._relay.input, self._on_input)
        except PermissionError:  # a file, which is always ready and which epoll does not watch
            self._on_input()
        self._life.adopt_logging()  # which asyncio has imported
        if exchange is not None and wait is not None:
            await self._answer(exchange, wait)
        while (frame := await self._next()) is not None and not is_stop(frame):
            if frame.flags & CONTROL:
                await self._send(CONTROL, pid_payload(os.getpid()))
            elif frame.stream:
                continue
            elif self._life.leaving:
                await self._send(0, LEAVING, options=(len(LEAVING),))
            else:
                await self._answer(answers(self._life.handler, Request(*request_parts(frame))))

    async def _next(self) -> Frame | None:
        """Wait for a frame. Return None when it is time to leave; raise what the input's end was, if it was no end."""
        while not self._relay.frames:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            self._news.clear()
            try:
                async with asyncio.timeout(LEAVE_TIMEOUT if self._life.leaving else None):
                    await self._news.wait()
            except TimeoutError:
                return None
        return self._relay.frames.popleft()

    async def _answer(self, exchange: Exchange, step: Step | None = None) -> None:
        self._stop = Stop()
        self._running = True
        self._look_for_stop()  # which may have come together with the request
        task = asyncio.create_task(self._exchange(exchange, step))
        try:
            await task
        finally:
            self._running = False
            if task.done() and not task.cancelled():
                task.exception()  # seen: SystemExit has ended the event loop itself

    async def _exchange(self, exchange: Exchange, step: Step | None) -> None:
        # The handler is called in the request's task: it may look for the running loop before it awaits.
        await drive(exchange, next(exchange) if step is None else step, self._reply, self._stop)

    async def _reply(self, reply: Reply) -> None:
        report(reply)
        await self._send(reply.flags, reply.context, reply.body, options=reply.options, stream=reply.stream)

    async def _send(self, flags: int, *parts: bytes, options: tuple[int, ...] = (), stream: int = 0) -> None:
        rest = self._relay.pieces(flags, *parts, options=options, stream=stream)
        while rest:
            try:
                self._relay.write(rest)
            except BlockingIOError:
                await self._writable()

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        writable = asyncio.Event()
        loop.add_writer(self._relay.output, writable.set)
        try:
            await writable.wait()
        finally:
            loop.remove_writer(self._relay.output)

    def _on_input(self) -> None:
        try:
            self._ended = not self._relay.fill()
        except (FrameError, OSError) as error:
            self._failure, self._ended = error, True
        if self._ended:
            asyncio.get_running_loop().remove_reader(self._relay.input)
        self._look_for_stop()
        self._news.set()

    def _look_for_stop(self) -> None:
        # Not between two exchanges: what has come behind a request is about its stream and not about the last one.
        if self._running and take_stop(self._relay.frames):
            self._stop.ask()

    def _on_sigterm(self) -> None:
        self._life.leaving = True
        self._news.set()
