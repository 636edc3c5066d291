"""Which kind a handler is, found once, before the first request: does it take an Email, does it need an event loop.

It takes an Email when its first parameter is annotated so, or is called `email` and has no annotation. A worker of the
SMTP server gives one also to a handler whose only parameter has no annotation, unless its name is `request`. Nothing
else of a handler counts. `inspect` would cost every start of a worker its import.
"""

from __future__ import annotations

import sys

from .messages import Handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from .mails import Email

    AnyHandler: TypeAlias = Handler | Callable[[Email], object]

_ASYNC = 0x80 | 0x200  # inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_VARIADIC = 0x04 | 0x08  # inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_MAILS = f"{__package__}.mails"
_UNRESOLVED = ("Email", "worker.Email", "rrpy.worker.Email")
"""The annotations that mean an Email where the name exists for the type checker alone."""


def as_handler(handler: AnyHandler, *, for_mail: bool = False) -> Handler:
    """Return a handler of requests: this one, or for one that takes an Email the result of `mail`.

    `for_mail`: every request is a message, as in a worker of the SMTP server.
    """
    if not _takes_email(handler, for_mail):
        return handler  # type: ignore[return-value]
    from .mails import mail

    return mail(handler)  # type: ignore[arg-type]


def is_async(handler: Handler) -> bool:
    """Say whether the handler is `async def`. One that only returns an awaitable shows that with its first request."""
    return bool(getattr(getattr(handler, "__code__", None), "co_flags", 0) & _ASYNC)


def _takes_email(handler: Any, for_mail: bool) -> bool:
    function: Any = handler
    if not _has_code(handler):
        function = getattr(handler, "__call__", None)  # noqa: B004 - the method of the object's class is needed
    own = 1 if hasattr(function, "__self__") else 0
    while _has_code(function) and hasattr(function, "__wrapped__"):  # decorated
        function = function.__wrapped__
    if not _has_code(function) or function.__code__.co_argcount <= own:
        return False
    parameter: str = function.__code__.co_varnames[own]
    annotations = _annotations(function)
    if parameter not in annotations:
        return parameter == "email" or (for_mail and parameter != "request" and _takes_one(function.__code__, own))
    return _is_email(annotations[parameter], function.__globals__)


def _takes_one(code: Any, own: int) -> bool:
    return not (code.co_argcount > own + 1 or code.co_kwonlyargcount or code.co_flags & _VARIADIC)


def _has_code(function: Any) -> bool:
    return isinstance(getattr(function, "__code__", None), type(as_handler.__code__))  # a proxy has any attribute


def _annotations(function: Any) -> dict[str, Any]:
    try:
        return dict(function.__annotations__)
    except NameError:  # from Python 3.14 on: a name that exists for the type checker alone
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
    mails = sys.modules.get(_MAILS)  # before its import no annotation can be its Email
    return mails is not None and annotation is mails.Email
