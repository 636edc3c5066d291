"""The states of a plugin and of the host, as tables, and a state machine. Pure.

A transition that the table does not have raises IllegalTransition and changes nothing. `mermaid` draws the diagrams of
the documentation from these tables.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

from .errors import IllegalTransition

S = TypeVar("S", bound=enum.Enum)

Table = Mapping[S, Mapping[str, S]]


class PluginState(enum.Enum):
    """The state of a plugin."""

    REGISTERED = "registered"
    DISABLED = "disabled"
    INITIALIZED = "initialized"
    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class HostState(enum.Enum):
    """The state of the host."""

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
    """The state of one thing, and its table. `name`: of the thing, for errors."""

    __slots__ = ("_table", "name", "state")

    def __init__(self, name: str, table: Table[S], state: S) -> None:
        self.name = name
        self.state = state
        self._table = table

    def can(self, event: str) -> bool:
        """Return whether the table has this event in the present state."""
        return event in self._table[self.state]

    def on(self, event: str) -> S:
        """Take the event's transition and return the new state. Raises IllegalTransition, which changes nothing."""
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
