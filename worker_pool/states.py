"""The states of a worker as seen by the host, and the steps between them. Pure data (WIRE.md, 'Pool').

INACTIVE -> READY <-> WORKING: it boots, waits for a request, works on one.
MAX_JOBS, IDLE_TTL, TTL, MAX_MEMORY ..._REACHED: a soft limit, it finishes its request and then leaves.
INVALID, EXEC_TTL_REACHED: it broke the protocol or the hard limit, and is killed.
STOPPING: it was told to leave.
STOPPED, DESTROYED, ERRORED: the ends. It left when told, was killed, died by itself.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from ..container.errors import IllegalTransition


class State(IntEnum):
    """A worker's state; the number is the one on the wire. `text` is what a person reads."""

    INACTIVE = 0
    READY = 1
    WORKING = 2
    INVALID = 3
    STOPPING = 4
    STOPPED = 5
    DESTROYED = 6
    MAX_JOBS_REACHED = 7
    ERRORED = 8
    IDLE_TTL_REACHED = 9
    TTL_REACHED = 10
    MAX_MEMORY_REACHED = 11
    EXEC_TTL_REACHED = 12

    @property
    def text(self) -> str:
        """The name as RoadRunner writes it: `ready`, `maxJobsReached`, `idleTTLReached`."""
        first, *rest = self.name.split("_")
        return first.lower() + "".join("TTL" if word == "TTL" else word.capitalize() for word in rest)


_S = State
_ENDS: Final = frozenset({_S.DESTROYED, _S.ERRORED})
_LEAVING: Final = _ENDS | {_S.STOPPING, _S.INVALID}

TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    _S.INACTIVE: _LEAVING | {_S.READY},
    _S.READY: _LEAVING | {_S.WORKING, _S.IDLE_TTL_REACHED, _S.TTL_REACHED, _S.MAX_MEMORY_REACHED},
    _S.WORKING: _LEAVING | {_S.READY, _S.MAX_JOBS_REACHED, _S.TTL_REACHED, _S.MAX_MEMORY_REACHED, _S.EXEC_TTL_REACHED},
    _S.MAX_JOBS_REACHED: _LEAVING,
    _S.IDLE_TTL_REACHED: _LEAVING,
    _S.TTL_REACHED: _LEAVING,
    _S.MAX_MEMORY_REACHED: _LEAVING,
    _S.EXEC_TTL_REACHED: _ENDS,
    _S.INVALID: _ENDS,
    _S.STOPPING: _ENDS | {_S.STOPPED},
    _S.STOPPED: frozenset(),
    _S.DESTROYED: frozenset(),
    _S.ERRORED: frozenset(),
}
"""For each state the states that may follow it. A state that nothing follows is an end: the process is gone."""


def step(state: State, to: State) -> State:
    """Return `to`. Raises IllegalTransition when the table does not have the step."""
    if to not in TRANSITIONS[state]:
        raise IllegalTransition("worker", state.text, to.text)
    return to
