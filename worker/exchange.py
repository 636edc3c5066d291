"""One request and what its handler does, without I/O: `answers` yields what is to be sent, or to be awaited.

The loops (`loop` for synchronous handlers, `aio` for the others) and the test double drive the same generator:

    exchange = answers(handler, request)
    step = next(exchange)
    Reply: send it. When it is the last one the exchange is over, else go on with next(exchange),
           or exchange.throw(Stopped()) when the host has cancelled the stream.
    Wait:  await it, and go on with exchange.send(result) or exchange.throw(error).

What a handler is, is told by what its call gives: an awaitable is awaited, a generator is a stream, anything else is
the answer. So partials, callable objects and decorated functions need no rule of their own.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

from ..goridge.frame import ERROR, STREAM
from .messages import Request, SoftError, as_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Step: TypeAlias = "Reply | Wait"
    Exchange: TypeAlias = Generator["Reply | Wait", Any, None]

Handler = Callable[[Request], object]


class Stopped(Exception):
    """The host has cancelled the stream. Thrown into an exchange, never into a handler."""


class Reply:
    """One frame of an answer. `more`: others follow. `error`: what the handler raised; the context is its text then."""

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
    """Something to be awaited. `part`: it is the next part of a stream, which the host may cancel meanwhile."""

    __slots__ = ("awaitable", "part")

    def __init__(self, awaitable: Awaitable[object], part: bool = False) -> None:
        self.awaitable = awaitable
        self.part = part


def answers(handler: Handler, request: Request) -> Exchange:
    """Call the handler and yield the steps of its answer. SystemExit and KeyboardInterrupt pass through."""
    try:
        context, body = as_parts((yield from _outcome(handler, request)))
    except (SystemExit, KeyboardInterrupt, GeneratorExit):
        raise
    except SoftError as error:
        yield Reply(_text(error), error=error)
    except BaseException as error:  # the handler's fault, also asyncio's CancelledError: the worker lives on
        yield Reply(f"{type(error).__name__}: ".encode() + _text(error), error=error)
    else:
        yield Reply(context, body)


def _outcome(handler: Handler, request: Request) -> Generator[Step, Any, object]:
    given = handler(request)
    if isinstance(given, Awaitable):
        given = yield Wait(given)
    if isinstance(given, Generator):
        given = yield from _parts(given)
    elif isinstance(given, AsyncGenerator):
        yield from _async_parts(given)
        return None  # an asynchronous generator has no value
    return given


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
    except Exception:  # what the stream yielded is not an answer, or it has raised, and then closing it does nothing
        yield Wait(stream.aclose())
        raise


def report(reply: Reply) -> None:
    """Write the traceback of an error that the handler did not mean to stderr, which is the host's log."""
    if reply.error is not None and not isinstance(reply.error, SoftError):
        from traceback import print_exception

        print_exception(reply.error, file=sys.stderr)


def _text(error: BaseException) -> bytes:
    try:
        return str(error).encode("utf-8", "replace")
    except Exception:  # a __str__ that raises
        return b"(an error without a text)"
