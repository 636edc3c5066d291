"""The loop of a worker whose handler is asynchronous: the rules of `loop`, on one event loop for the rest of its life.

The event loop runs also while the worker waits for a request, so that background tasks and kept connections live. A
request is one task of its own. The relay never blocks the loop: frames are read when they are there, and sent as fast
as the host takes them.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING

from ..goridge.frame import CONTROL, Frame, FrameError
from ..goridge.worker import LEAVING, is_stop, pid_payload, request_parts
from .answers import Reply, Stopped, Wait, answer, log_failure
from .messages import Request
from .process import LEAVE_TIMEOUT, WorkerProcess, take_cancel

if TYPE_CHECKING:
    from .answers import Step, Steps


def run(process: WorkerProcess, begun: tuple[Steps, Wait] | None = None) -> None:
    """Serve until the worker has to leave. `begun`: an answer to complete first, and the step of it to await.

    Raises FrameError and OSError as `Loop.run` does; SystemExit and KeyboardInterrupt pass through.
    """
    with asyncio.Runner() as runner:  # not its run(), which would make a cancellation of the first KeyboardInterrupt
        runner.get_loop().run_until_complete(AsyncLoop(process).run(begun))


class Cancellation:
    """Whether the host has cancelled the stream that an answer is, and the means to end it.

    `requested`: the host has.
    """

    def __init__(self) -> None:
        self.requested = False
        self._cancelled = False
        self._task: asyncio.Task[object] | None = None

    def request(self) -> None:
        """End the stream: at once where it awaits, otherwise after the part that it makes."""
        if not self.requested:
            self.requested = True
            if self._task is not None:
                self._cancelled = self._task.cancel()

    async def wait_for(self, awaitable: Awaitable[object]) -> object:
        """Await a part of the stream. Raises Stopped when `request` ends that, or was called before."""
        if self.requested:
            if isinstance(awaitable, Coroutine):
                awaitable.close()  # else Python warns that it was never awaited
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


async def complete(
    steps: Steps, step: Step, send: Callable[[Reply], Awaitable[None]], cancellation: Cancellation
) -> None:
    """Take an answer from this step to its end, within the task of the caller alone.

    One task, because what a stream opens before a part (a timeout, a task group) it closes after it.
    """
    while True:
        if isinstance(step, Wait):
            step = await _resolve(steps, step, cancellation)
            continue
        await send(step)
        if not step.more:
            steps.close()
            return
        step = steps.throw(Stopped()) if cancellation.requested else next(steps)


async def _resolve(steps: Steps, wait: Wait, cancellation: Cancellation) -> Step:
    try:
        result = await (cancellation.wait_for(wait.awaitable) if wait.part else wait.awaitable)
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # the worker ends; a handler's own CancelledError is its error
        return steps.throw(error)
    return steps.send(result)


class AsyncLoop:
    """The loop of one process, on the event loop that runs."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process
        self._relay = process.relay
        self._cancellation = Cancellation()
        self._answering = False
        self._changed = asyncio.Event()  # a frame, the end of the input, or SIGTERM
        self._ended = False
        self._failure: Exception | None = None  # FrameError or OSError

    async def run(self, begun: tuple[Steps, Wait] | None) -> None:
        """Serve until the worker has to leave. Raises FrameError and OSError."""
        loop = asyncio.get_running_loop()
        os.set_blocking(self._relay.output, False)
        loop.add_signal_handler(signal.SIGTERM, self._on_sigterm)
        try:
            loop.add_reader(self._relay.input, self._on_input)
        except PermissionError:  # a file, which is always ready and which epoll does not watch
            self._on_input()
        self._process.set_up_logging()  # which asyncio has imported
        if begun is not None:
            await self._answer(*begun)
        while (frame := await self._next()) is not None and not is_stop(frame):
            if frame.flags & CONTROL:
                await self._send(CONTROL, pid_payload(os.getpid()))
            elif frame.stream:
                continue
            elif self._process.leaving:
                await self._send(0, LEAVING, options=(len(LEAVING),))
            else:
                await self._answer(answer(self._process.handler, Request(*request_parts(frame))))

    async def _next(self) -> Frame | None:
        """Wait for a frame. Return None when it is time to leave; raise the error that ended the input, if one did."""
        while not self._relay.frames:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            self._changed.clear()
            try:
                async with asyncio.timeout(LEAVE_TIMEOUT if self._process.leaving else None):
                    await self._changed.wait()
            except TimeoutError:
                return None
        return self._relay.frames.popleft()

    async def _answer(self, steps: Steps, step: Step | None = None) -> None:
        self._cancellation = Cancellation()
        self._answering = True
        self._look_for_cancel()  # it may have come together with the request
        task = asyncio.create_task(self._complete(steps, step))
        try:
            await task
        finally:
            self._answering = False
            if task.done() and not task.cancelled():
                task.exception()  # retrieved: SystemExit has ended the event loop itself

    async def _complete(self, steps: Steps, step: Step | None) -> None:
        # The handler is called in the request's task: it may look for the running loop before it awaits.
        await complete(steps, next(steps) if step is None else step, self._reply, self._cancellation)

    async def _reply(self, reply: Reply) -> None:
        log_failure(reply)
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
        self._look_for_cancel()
        self._changed.set()

    def _look_for_cancel(self) -> None:
        # Not between two answers: a cancel that comes after a request is about its stream, not about the last one.
        if self._answering and take_cancel(self._relay.frames):
            self._cancellation.request()

    def _on_sigterm(self) -> None:
        self._process.leaving = True
        self._changed.set()
