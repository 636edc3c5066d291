"""The states of a plugin and of the container, as tables; a state machine that knows nothing else. Pure.

Two rules. A transition that the table does not have raises IllegalTransition and changes nothing. The documentation's
diagrams are drawn from these tables, by `mermaid`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

from .errors import IllegalTransition

S = TypeVar("S", bound=enum.Enum)

Table = Mapping[S, Mapping[str, S]]


class PluginState(enum.Enum):
    """Where a plugin is in its life."""

    REGISTERED = "registered"
    DISABLED = "disabled"
    INITIALIZED = "initialized"
    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class HostState(enum.Enum):
    """Where the container is."""

    NEW = "new"
    INITIALIZING = "initializing"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


PLUGIN: Final[Table[PluginState]] = {
    PluginState.REGISTERED: {
        "init": PluginState.INITIALIZED,
        "disable": PluginState.DISABLED,
        "fail": PluginState.FAILED,
    },
    PluginState.DISABLED: {},
    PluginState.INITIALIZED: {"serve": PluginState.STARTING},
    PluginState.STARTING: {
        "started": PluginState.SERVING,
        "fail": PluginState.FAILED,
        "stop": PluginState.STOPPING,
    },
    PluginState.SERVING: {
        "stop": PluginState.STOPPING,
        "finish": PluginState.STOPPED,
        "fail": PluginState.FAILED,
    },
    PluginState.STOPPING: {"finish": PluginState.STOPPED, "fail": PluginState.FAILED},
    PluginState.STOPPED: {},
    PluginState.FAILED: {},
}

HOST: Final[Table[HostState]] = {
    HostState.NEW: {"init": HostState.INITIALIZING},
    HostState.INITIALIZING: {"serve": HostState.STARTING, "stop": HostState.STOPPING},
    HostState.STARTING: {"ready": HostState.RUNNING, "stop": HostState.STOPPING},
    HostState.RUNNING: {"stop": HostState.STOPPING},
    HostState.STOPPING: {"finish": HostState.STOPPED},
    HostState.STOPPED: {},
}


class Machine(Generic[S]):
    """One thing that goes through the states of a table. `name`: what errors call it."""

    __slots__ = ("_table", "name", "state")

    def __init__(self, name: str, table: Table[S], state: S) -> None:
        self.name = name
        self.state = state
        self._table = table

    def can(self, event: str) -> bool:
        """Say whether the table has this event in the present state."""
        return event in self._table[self.state]

    def on(self, event: str) -> S:
        """Go where the event leads and return the new state. Raises IllegalTransition and stays where it is."""
        try:
            self.state = self._table[self.state][event]
        except KeyError:
            raise IllegalTransition(self.name, self.state.value, event) from None
        return self.state


def mermaid(table: Table[S], first: S) -> str:
    """Return a table as a mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", f"    [*] --> {first.value}"]
    for state, row in table.items():
        lines += [f"    {state.value} --> {target.value}: {event}" for event, target in row.items()]
        if not row:
            lines.append(f"    {state.value} --> [*]")
    return "\n".join(lines)
