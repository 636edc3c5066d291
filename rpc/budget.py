"""The memory that all connections hold together: half requests, requests that run, responses that are not read yet.

What we want: clients cannot take the host's memory, and a client that is quick never pays for one that is slow.
What we do: each connection counts its bytes. Above the limit the host drops the connection that has held the most bytes
for the longest time. Large arguments are decoded one in each turn of the event loop, so that they delay small ones, and
mail, by one of them at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Budget:
    """At most `limit` bytes for all shares together. `turn`: the right to decode a large argument in this turn."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.turn = asyncio.Lock()
        self._held = 0
        self._shares: set[Share] = set()

    def share(self, drop: Callable[[str], None]) -> Share:
        """Return the share of a new connection. `drop`: ends this connection; called with the reason."""
        share = Share(self, drop)
        self._shares.add(share)
        return share

    def change(self, count: int) -> None:
        """Count bytes more or less, and drop connections until the rest is within the limit."""
        self._held += count
        while self._held > self.limit:
            now = asyncio.get_running_loop().time()
            largest = max(self._shares, key=lambda share: (share.held * (now - share.since), share.held))
            largest.drop(f"all connections together hold more than {self.limit} bytes of requests and responses")
            largest.leave()

    def forget(self, share: Share) -> None:
        """Count a share no more."""
        self._shares.discard(share)


class Share:
    """The part of one connection: it has `held` bytes, the first of them since the loop's time `since`."""

    def __init__(self, budget: Budget, drop: Callable[[str], None]) -> None:
        self.drop = drop
        self.held = 0
        self.since = 0.0
        self._budget: Budget | None = budget

    def change(self, count: int) -> None:
        """Count bytes more or less. It may drop this connection, or others."""
        if self._budget is None:
            return
        if not self.held:
            self.since = asyncio.get_running_loop().time()
        self.held += count
        self._budget.change(count)

    def leave(self) -> None:
        """Give back all bytes; later changes count for nothing. Idempotent."""
        budget, self._budget = self._budget, None
        if budget is not None:
            budget.forget(self)
            budget.change(-self.held)
