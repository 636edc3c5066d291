"""One request and what its handler does, without I/O: `answers` yields what is to be sent, or to be awaited.

The loops (`loop` for synchronous handlers, `aio` for the others) and the test double drive the same generator:

    exchange = answers(handler, request)
    step = next(exchange)
    Reply: send it. When it is the last one the exchange is over, else go on with next(exchange),
           or exchange.throw(Stopped()) when the host has cancelled the stream.
    Wait:  await it, and go on with exchange.send(result) or exchange.throw(error).

What a handler is, is told by what its call gives: an awaitable is awaited, a generator is a stream, anything else is
the answer. So partials, callable objects and decorated functions need no rule of their own.

What it takes is told by its first parameter: `as_handler` looks once, before the first request, whether that is
annotated as an Email, or is called `email` where it has no annotation, and at nothing else. `inspect` is not asked: a
worker's start would pay for it.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

from ..goridge.frame import ERROR, STREAM
from .messages import Request, SoftError, as_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from .mails import Email

    AnyHandler: TypeAlias = "Handler | Callable[[Email], object]"
    Step: TypeAlias = "Reply | Wait"
    Exchange: TypeAlias = Generator["Reply | Wait", Any, None]

Handler = Callable[[Request], object]

_MAILS = f"{__package__}.mails"
_UNRESOLVED = ("Email", "worker.Email", "rrpy.worker.Email")
"""The annotations that mean an Email where they are a name for the type checker alone."""


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


def as_handler(handler: AnyHandler) -> Handler:
    """Return a handler of requests: this one, or one made of it by `mail` when its first parameter is an Email."""
    if not _takes_email(handler):
        return handler  # type: ignore[return-value]
    from .mails import mail

    return mail(handler)  # type: ignore[arg-type]


def _takes_email(handler: Any) -> bool:
    function: Any = handler
    if not _has_code(handler):
        function = getattr(handler, "__call__", None)  # noqa: B004 - an object's method is wanted
    own = 1 if hasattr(function, "__self__") else 0
    while _has_code(function) and hasattr(function, "__wrapped__"):  # decorated
        function = function.__wrapped__
    if not _has_code(function) or function.__code__.co_argcount <= own:
        return False
    parameter: str = function.__code__.co_varnames[own]
    annotations = _annotations(function)
    if parameter not in annotations:
        return parameter == "email"
    return _is_email(annotations[parameter], function.__globals__)


def _has_code(function: Any) -> bool:
    return isinstance(getattr(function, "__code__", None), type(as_handler.__code__))  # a proxy has any attribute


def _annotations(function: Any) -> dict[str, Any]:
    try:
        return dict(function.__annotations__)
    except NameError:  # from Python 3.14 on: one of them is a name for the type checker alone
        from annotationlib import Format, get_annotations  # type: ignore[import-not-found]

        return dict(get_annotations(function, format=Format.STRING))


def _is_email(annotation: Any, names: dict[str, Any]) -> bool:
    if isinstance(annotation, str):
        annotation = annotation.strip("'\"")
        first, *rest = annotation.split(".")
        if first not in names:
            return annotation in _UNRESOLVED
        annotation = names[first]
        for name in rest:
            annotation = getattr(annotation, name, None)
    mails = sys.modules.get(_MAILS)  # while nobody has loaded it, nothing is its Email
    return mails is not None and annotation is mails.Email


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
    """Log an error that the handler did not mean, with its traceback."""
    if reply.error is not None and not isinstance(reply.error, SoftError):
        from contextlib import suppress
        from traceback import format_exception

        from . import log

        stack = "".join(format_exception(reply.error))
        with suppress(OSError, ValueError):  # what the handler has done to stderr must not end the worker
            log.error(f"the handler failed: {reply.context.decode('utf-8', 'replace')}", traceback=stack)


def _text(error: BaseException) -> bytes:
    try:
        return str(error).encode("utf-8", "replace")
    except Exception:  # a __str__ that raises
        return b"(an error without a text)"
