"""Which request of a name has which message, so that parallel tests each get their own. In memory, and bounded."""

from __future__ import annotations

from typing import Final

MAX_CLAIMED: Final = 100_000
"""Messages that claims remember. The oldest are forgotten."""


class Claims:
    """The messages that requests have taken, by the names of their claims."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], None] = {}

    def has(self, claim: str, message_id: str) -> bool:
        """Return whether a request of this name has the message."""
        return bool(claim) and (claim, message_id) in self._taken

    def take(self, claim: str, message_id: str) -> bool:
        """Take a message. Return False where a request of this name has it."""
        if not claim:
            return True
        if (claim, message_id) in self._taken:
            return False
        self._taken[claim, message_id] = None
        if len(self._taken) > MAX_CLAIMED:
            del self._taken[next(iter(self._taken))]
        return True

    def give_back(self, claim: str, message_id: str) -> None:
        """Let another request of this name have a message."""
        self._taken.pop((claim, message_id), None)
