"""Health checks: a plugin reports its own state, as RoadRunner's plugins do by `Status()` and `Ready()`.

Both methods are optional. One that raises counts as `unavailable`, with the exception's text; one that waits is
`async def`. They run on the host's event loop, so that one that blocks holds up everything else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, Protocol, runtime_checkable


class Status(NamedTuple):
    """The state of a plugin. `code`: as in HTTP, 100 to 400 for a plugin that works, 500 and above for one that fails.

    `message`: the fault, for a person; empty without one.
    """

    code: int
    message: str = ""


FINE: Final = Status(200)


def unavailable(message: str) -> Status:
    """Return the status of a plugin that does not work now. `message`: the reason."""
    return Status(503, message)


@runtime_checkable
class HealthCheck(Protocol):
    """A plugin that reports whether it works (`GET /health`)."""

    name: str

    def health_check(self) -> Status | Awaitable[Status]:
        """Return whether the plugin works. A fault that only a restart mends is not fine."""
        ...


@runtime_checkable
class ReadinessCheck(Protocol):
    """A plugin that reports whether it can take work now (`GET /ready`)."""

    name: str

    def readiness_check(self) -> Status | Awaitable[Status]:
        """Return whether the plugin can take work now."""
        ...


@runtime_checkable
class ReadinessChecks(Protocol):
    """A plugin that reports whether others can take work now: `server`, for the plugins whose worker pools it makes."""

    def readiness_checks(self) -> Mapping[str, Callable[[], Status | Awaitable[Status]]]:
        """Return the checks by plugin. Called for each report. A plugin's own `readiness_check` takes precedence."""
        ...
