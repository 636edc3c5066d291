"""One request and what its handler does, without I/O: `answer` yields each frame to send and each thing to await.

The loops (`loop` for synchronous handlers, `aio` for asynchronous ones) and `testing` run the same generator:

    steps = answer(handler, request)
    step = next(steps)
    Reply: send it. After the last one the answer is complete. After any other call next(steps),
           or steps.throw(Stopped()) when the host has cancelled the stream.
    Wait:  await it, then call steps.send(result) or steps.throw(error).

The result of the handler's call decides: an awaitable is awaited, a generator is a stream, anything else is the answer.
So partials, callable objects and decorated functions need no rule of their own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Generator

from ..goridge.frame import ERROR, STREAM
from .messages import Handler, Request, SoftError, as_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Step: TypeAlias = "Reply | Wait"
    Steps: TypeAlias = Generator["Reply | Wait", Any, None]


class Stopped(Exception):
    """The host has cancelled the stream. Thrown into the steps of an answer, never into a handler."""


class Reply:
    """One frame of an answer. `more`: others follow. `error`: raised by the handler; its text is the context then."""

    __slots__ = ("body", "context", "error", "more")

    def __init__(
        self, context: bytes = b"", body: bytes = b"", more: bool = False, error: BaseException | None = None
    ) -> None:
        self.context = context
        self.body = body
        self.more = more
        self.error = error

    @property
    def flags(self) -> int:
        """The frame's flags."""
        return 0 if self.error is None else ERROR

    @property
    def stream(self) -> int:
        """The frame's stream bits."""
        return STREAM if self.more else 0

    @property
    def options(self) -> tuple[int, ...]:
        """The frame's options."""
        return (len(self.context),) if self.error is None else ()


class Wait:
    """Something to await. `part`: it is the next part of a stream, which the host may cancel meanwhile."""

    __slots__ = ("awaitable", "part")

    def __init__(self, awaitable: Awaitable[object], part: bool = False) -> None:
        self.awaitable = awaitable
        self.part = part


def answer(handler: Handler, request: Request) -> Steps:
    """Call the handler and yield the steps of its answer. SystemExit and KeyboardInterrupt pass through."""
    try:
        context, body = as_parts((yield from _result(handler, request)))
    except (SystemExit, KeyboardInterrupt, GeneratorExit):
        raise
    except SoftError as error:
        yield Reply(_text(error), error=error)
    except BaseException as error:  # the handler's fault, also asyncio's CancelledError: the worker lives on
        text = _text(error)
        name = type(error).__name__.encode()
        yield Reply((name + b": " + text if text else name) + _place(error, handler), error=error)
    else:
        yield Reply(context, body)


def _result(handler: Handler, request: Request) -> Generator[Step, Any, object]:
    result = handler(request)
    if isinstance(result, Awaitable):
        result = yield Wait(result)
    if isinstance(result, Generator):
        result = yield from _parts(result)
    elif isinstance(result, AsyncGenerator):
        yield from _async_parts(result)
        return None  # an asynchronous generator has no value
    return result


def _parts(stream: Generator[object, None, object]) -> Generator[Step, Any, object]:
    try:
        while True:
            try:
                part = next(stream)
            except StopIteration as end:
                return end.value
            yield Reply(*as_parts(part), more=True)
    except Stopped:
        return None
    finally:
        stream.close()


def _async_parts(stream: AsyncGenerator[object, None]) -> Generator[Step, Any, None]:
    try:
        while True:
            part = yield Wait(stream.__anext__(), part=True)
            yield Reply(*as_parts(part), more=True)
    except StopAsyncIteration:
        return
    except Stopped:
        yield Wait(stream.aclose())
    except Exception:  # the stream yielded a wrong type; or it raised, and then closing it does nothing
        yield Wait(stream.aclose())
        raise


def log_failure(reply: Reply) -> None:
    """Log an error of the handler with its traceback, unless it is a SoftError."""
    if reply.error is not None and not isinstance(reply.error, SoftError):
        from contextlib import suppress
        from traceback import format_exception

        from . import log

        stack = "".join(format_exception(reply.error))
        with suppress(OSError, ValueError):  # the handler may have closed stderr: that must not end the worker
            log.error(f"the handler failed: {reply.context.decode('utf-8', 'replace')}", traceback=stack)


def _text(error: BaseException) -> bytes:
    try:
        return str(error).encode("utf-8", "replace")
    except Exception:  # a __str__ that raises
        return b"(an error without a text)"


def _place(error: BaseException, handler: Handler) -> bytes:
    """Return ` in FILE:LINE`, the place of an error (see `place_of`); empty without one."""
    from .origin import place_of

    try:
        return f" in {place}".encode("utf-8", "replace") if (place := place_of(error, handler)) else b""
    except Exception:  # a handler with odd attributes
        return b""
