"""The doors for health checks: a plugin says how it is, in the way of RoadRunner's `Checker` and `Readiness`.

Both methods are optional. What one raises counts as `unavailable`, with the exception's text; one that waits may be
`async def`. They run on the host's loop, so one that blocks holds everything up.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, NamedTuple, Protocol, runtime_checkable


class Status(NamedTuple):
    """How a plugin is. `code`: as in HTTP, 100 to 400 for one that works, 500 and above for one that does not.

    `message`: for a person, what is wrong; empty where nothing is.
    """

    code: int
    message: str = ""


FINE: Final = Status(200)


def unavailable(message: str) -> Status:
    """Return the status of a plugin that does not work now, and why."""
    return Status(503, message)


@runtime_checkable
class Checker(Protocol):
    """A plugin that says whether it works (`GET /health`)."""

    name: str

    def status(self) -> Status | Awaitable[Status]:
        """Say whether it works: what only a restart would mend is not fine."""
        ...


@runtime_checkable
class Readiness(Protocol):
    """A plugin that says whether it can take work now (`GET /ready`)."""

    name: str

    def ready(self) -> Status | Awaitable[Status]:
        """Say whether it can take work now."""
        ...
