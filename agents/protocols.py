"""The API of an inbox, as the tools use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class ToolFailed(Exception):
    """A tool cannot do what it is asked for. The text is one sentence for the agent.

    `found`: what there is instead, such as `received` mails or `links`, as the API describes it. It is untrusted.
    """

    def __init__(self, reason: str, found: Mapping[str, Sequence[Mapping[str, Any]]] | None = None) -> None:
        super().__init__(reason)
        self.found = found or {}


class Inbox(Protocol):
    """The API of an inbox (docs/reference/api.md)."""

    async def ask(
        self, method: str, path: str, query: Mapping[str, Any], *, body: Any = None, timeout: float = 0
    ) -> Any:
        """Return the JSON of an answer, None for one without content. Raises ToolFailed.

        `path`: below `/api/v1`, such as `/messages`. `query`: values of None are left out. `body`: sent as JSON.
        `timeout`: seconds that the inbox may wait before it answers.
        """
        ...
