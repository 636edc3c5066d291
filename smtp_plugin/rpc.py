"""The plugin's methods on the RPC bus, served under its name: `smtp.ListConnections` and the others."""

from __future__ import annotations

from typing import Any

from .backend import Backend
from .delivery.history import WaitRequest, WaitResult
from .failures.book import RuleBook, RuleInfo
from .session import ConnectionInfo


class SMTPRPC:
    """The methods, for an operator or a worker."""

    def __init__(self, backend: Backend, rules: RuleBook) -> None:
        self._backend = backend
        self._rules = rules

    def list_connections(self, _: bool) -> list[ConnectionInfo]:
        """Return every open connection, oldest first; `[]` when there is none. The argument is ignored."""
        return self._backend.connections()

    def close_connection(self, uuid: str) -> bool:
        """Close the connection with this uuid and return true; the error is `connection not found`."""
        if not self._backend.close_connection(uuid):
            raise ValueError("connection not found")
        return True

    async def wait(self, request: WaitRequest | bool) -> WaitResult:
        """Return the messages after `cursor` as soon as there is one, and none after `timeout` seconds.

        `true`, the argument of a call without one, asks for the next message.
        """
        return await self._backend.history.wait(WaitRequest() if isinstance(request, bool) else request)

    def rules(self, mailbox: str | bool = "") -> list[RuleInfo]:
        """Return the rules by which the server fails on purpose, in their order. `mailbox`: of this one alone."""
        return self._rules.list(mailbox if isinstance(mailbox, str) else "")

    def add_rule(self, rule: dict[str, Any] | str) -> RuleInfo:
        """Add a rule after the others and return it; a text is the name of a preset."""
        return self._rules.add(rule)

    def set_rules(self, rules: list[dict[str, Any] | str]) -> list[RuleInfo]:
        """Put these rules in place of all others and return them; with a wrong one nothing changes."""
        return [*self._rules.replace(rules)]

    def remove_rule(self, number: int) -> bool:
        """Remove the rule with this number and return true; the error is `rule not found`."""
        if not self._rules.remove(number):
            raise ValueError("rule not found")
        return True

    def clear_rules(self, mailbox: str | bool = "") -> int:
        """Remove every rule and return their number. `mailbox`: those of this one alone."""
        return self._rules.clear(mailbox if isinstance(mailbox, str) else "")
