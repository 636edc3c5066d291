"""What a handler takes and returns.

Tuples with names, and neither dataclasses nor `typing`: a worker's start must not wait for `inspect` or `re`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple

    class _Request(NamedTuple):
        context: bytes = b""
        body: bytes = b""

    class _Response(NamedTuple):
        context: bytes | str = b""
        body: bytes | str = b""
else:
    _Request = _Response = namedtuple("_Parts", "context body", defaults=(b"", b""))


RESULTS = "a handler returns Response, str, bytes or None (for mail: Accept(), Reject(code, text) or Close())"


class SoftError(Exception):
    """Raised by a handler to refuse one request: the caller gets its text, the worker lives on."""


class Request(_Request):
    """A request. `context`: describes it, most often as JSON. `body`: its data. Either may be empty."""

    __slots__ = ()

    def json(self) -> Any:
        """Return the context decoded as JSON. Raises ValueError when it is not JSON."""
        from json import loads

        return loads(self.context)


Handler = Callable[[Request], object]
"""A worker's handler, synchronous or asynchronous. `as_parts` says which results are answers."""


class Response(_Response):
    """An answer, or a part of one. A str is sent as UTF-8."""

    __slots__ = ()


def as_parts(answer: object) -> tuple[bytes, bytes]:
    """Return an answer's context and body: a str alone is the context, bytes alone are the body, None is empty.

    Raises TypeError for anything else.
    """
    if answer is None:
        return b"", b""
    if isinstance(answer, str):
        return answer.encode(), b""
    if isinstance(answer, bytes):
        return b"", answer
    if isinstance(answer, Response):
        return _as_bytes(answer.context), _as_bytes(answer.body)
    raise TypeError(f"{RESULTS}, not {type(answer).__name__}")


def _as_bytes(part: object) -> bytes:
    if isinstance(part, str):
        return part.encode()
    if isinstance(part, bytes):
        return part
    raise TypeError(f"a Response's parts are bytes or str, not {type(part).__name__}")
