"""The end of a client: work for an answer that it no longer reads ends with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from starlette.requests import Request
from starlette.types import Receive

from .problems import Problem

T = TypeVar("T")


async def while_connected(request: Request, work: Callable[[], Awaitable[T]]) -> T:
    """Return the result of `work`. When the client disconnects, cancel it and raise Problem."""
    results: list[T] = []
    errors: list[Exception] = []
    async with anyio.create_task_group() as group:
        group.start_soon(cancel_on_disconnect, request.receive, group.cancel_scope)
        try:
            results.append(await work())
        except Exception as error:  # raised after the group, which would wrap it
            errors.append(error)
        group.cancel_scope.cancel()
    if errors:
        raise errors[0]
    if not results:
        raise Problem(400, "the client has disconnected")
    return results[0]


async def cancel_on_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    """Cancel the scope when the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
