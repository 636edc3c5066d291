"""Which connections of a listener are served, and how many that are turned away may wait for their end. Pure.

A connection that is turned away gets a reply, and its socket stays open until the client has read it. Such connections
take no place. So their number has a bound of its own, and above it they are cut.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

MAX_LEAVING: Final = 64
"""Connections that are turned away and not closed yet, at the same time."""


class Admission:
    """Counts the connections of a listener. `most`, `most_per_host`: of the served ones, 0 for no limit."""

    def __init__(self, most: int, most_per_host: int) -> None:
        self._most = most
        self.most_per_host = most_per_host
        self._served: set[object] = set()
        self._leaving: set[object] = set()
        self._hosts: dict[object, str] = {}  # of both
        self._served_per_host: Counter[str] = Counter()
        self._leaving_per_host: Counter[str] = Counter()

    def enter(self, connection: object) -> bool:
        """Count a connection, once; return whether there is room for it."""
        served = self._served
        if 0 < self._most <= len(served):
            return connection in served
        served.add(connection)
        return True

    def admit(self, connection: object, host: str) -> bool:
        """Count a connection for its client, once; return whether there is room for one more of this client's."""
        if not self.most_per_host or connection in self._hosts:
            return True
        if self._served_per_host[host] >= self.most_per_host:
            return False
        self._hosts[connection] = host
        self._served_per_host[host] += 1
        return True

    def may_linger(self, connection: object, host: str) -> bool:
        """Count a connection that is turned away; return whether there is room for it until its end."""
        self.leave(connection)
        if len(self._leaving) >= MAX_LEAVING:
            return False
        if self.most_per_host:
            if self._leaving_per_host[host] >= self.most_per_host:
                return False
            self._hosts[connection] = host
            self._leaving_per_host[host] += 1
        self._leaving.add(connection)
        return True

    def leave(self, connection: object) -> None:
        """Forget a connection."""
        self._served.discard(connection)
        leaving = connection in self._leaving
        if leaving:
            self._leaving.discard(connection)
        if not self.most_per_host:
            return
        host = self._hosts.pop(connection, None)
        if host is not None:
            counts = self._leaving_per_host if leaving else self._served_per_host
            counts[host] -= 1
            if not counts[host]:
                del counts[host]
