"""What a handler gets and gives. NamedTuples and not dataclasses: a worker's start must not wait for `inspect`."""

from __future__ import annotations

from typing import Any, NamedTuple


class SoftError(Exception):
    """Raised by a handler to refuse this one request: its text goes to the caller, the worker lives on."""


class Request(NamedTuple):
    """A request. `context`: what it is about, most often JSON. `body`: its data. Either may be empty."""

    context: bytes = b""
    body: bytes = b""

    def json(self) -> Any:
        """Return the context decoded as JSON. Raises ValueError when it is not JSON."""
        from json import loads

        return loads(self.context)


class Response(NamedTuple):
    """An answer. A str is sent as UTF-8."""

    context: bytes | str = b""
    body: bytes | str = b""


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
    raise TypeError(f"a handler returns Response, str, bytes or None, not {type(answer).__name__}")


def _as_bytes(part: object) -> bytes:
    if isinstance(part, str):
        return part.encode()
    if isinstance(part, bytes):
        return part
    raise TypeError(f"a Response's parts are bytes or str, not {type(part).__name__}")
