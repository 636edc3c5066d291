"""The states of a worker, as tables. Pure data, and `step`, which follows the first of them.

Three things have a state:

- `State` is the one that RoadRunner's clients see (docs/reference/wire.md#pool). `TRANSITIONS` has the states that may
  follow each other.
- `ProcessState` says how far the process is in its life: whether the pool may give it requests, and what is left of it.
- `RequestState` says how far the request under way is.

`PROCESS` and `REQUEST` are tables of events, for a `Machine`. An illegal transition raises IllegalTransition, which
names both sides, and changes nothing.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from ..container.errors import IllegalTransition
from ..container.states import Table


class State(IntEnum):
    """A worker's state as clients see it; the number is the one on the wire. `text` is RoadRunner's name of it.

    INACTIVE, READY, WORKING: it boots, waits for a request, works on one.
    MAX_JOBS, IDLE_TTL, TTL, MAX_MEMORY ..._REACHED: a soft limit; it finishes its request and then leaves.
    INVALID, EXEC_TTL_REACHED: it broke the protocol or the hard limit, and is killed.
    STOPPING: the host has sent the stop frame.
    STOPPED, DESTROYED, ERRORED: it has exited after the stop frame, was killed, or exited by itself.
    """

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
    """Return `to`. Raises IllegalTransition when `TRANSITIONS` does not have the step."""
    if to not in TRANSITIONS[state]:
        raise IllegalTransition("worker", state.text, to.text)
    return to


class ProcessState(StrEnum):
    """How far a worker's process is in its life.

    BOOTING: it has not shaken hands. SERVING: the pool gives it requests. RETIRED: it finishes its last request.
    CLOSED: its channel has ended, and it has a moment to exit. KILLED: the host has sent SIGKILL.
    EXITED: the system has reported its status. REAPED: its pipes are closed too.
    GONE: its connection is closed too, where it has one.
    """

    BOOTING = "booting"
    SERVING = "serving"
    RETIRED = "retired"
    CLOSED = "closed"
    KILLED = "killed"
    EXITED = "exited"
    REAPED = "reaped"
    GONE = "gone"


_P = ProcessState
_FAILING: Final = {"close": _P.CLOSED, "kill": _P.KILLED, "exit": _P.EXITED}

PROCESS: Final[Table[ProcessState]] = {
    _P.BOOTING: {"shake hands": _P.SERVING, **_FAILING},
    _P.SERVING: {"retire": _P.RETIRED, **_FAILING},
    _P.RETIRED: _FAILING,
    _P.CLOSED: {"kill": _P.KILLED, "exit": _P.EXITED},
    _P.KILLED: {"exit": _P.EXITED},
    _P.EXITED: {"reap": _P.REAPED},
    _P.REAPED: {"end": _P.GONE},
    _P.GONE: {},
}
"""For each state of the process the events that may come, and where they lead."""


class RequestState(StrEnum):
    """How far a worker is with the request under way.

    IDLE: there is none. WAITING: the request is sent, and nothing of its answer has come.
    STREAMING: parts of its answer come. PAUSED: the worker is not read from, because the reader of the parts is slow.
    CANCELLED: the worker is to end the stream. IGNORING: the host ignores all that the worker still sends.
    """

    IDLE = "idle"
    WAITING = "waiting"
    STREAMING = "streaming"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    IGNORING = "ignoring"


_R = RequestState
_UNDER_WAY: Final = {"end": _R.IDLE, "ignore": _R.IGNORING}

REQUEST: Final[Table[RequestState]] = {
    _R.IDLE: {"send": _R.WAITING, "ignore": _R.IGNORING},
    _R.WAITING: {"part": _R.STREAMING, **_UNDER_WAY},
    _R.STREAMING: {"part": _R.STREAMING, "pause": _R.PAUSED, "cancel": _R.CANCELLED, **_UNDER_WAY},
    _R.PAUSED: {"part": _R.PAUSED, "resume": _R.STREAMING, "cancel": _R.CANCELLED, **_UNDER_WAY},
    _R.CANCELLED: {"part": _R.CANCELLED, **_UNDER_WAY},
    _R.IGNORING: {"end": _R.IGNORING, "ignore": _R.IGNORING},
}
"""For each state of the request the events that may come, and where they lead."""
