"""A verdict that comes later, without a task: what a backend returns while a worker decides about a message."""

from __future__ import annotations

from collections.abc import Callable

from .verdict import Verdict


class Pending:
    """A verdict to come. `verdict`: None until it is settled."""

    __slots__ = ("_then", "verdict")

    def __init__(self) -> None:
        self.verdict: Verdict | None = None
        self._then: Callable[[Verdict], None] | None = None

    def settle(self, verdict: Verdict) -> None:
        """Say what it is, once. Whoever asked for it with `then` is told in the same turn of the loop."""
        self.verdict = verdict
        if self._then is not None:
            self._then(verdict)

    def then(self, tell: Callable[[Verdict], None]) -> None:
        """Have one function called with the verdict: now, where it has come already."""
        if self.verdict is None:
            self._then = tell
        else:
            tell(self.verdict)
