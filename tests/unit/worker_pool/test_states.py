from __future__ import annotations

import pytest

from rrpy.container.errors import IllegalTransition
from rrpy.worker_pool.states import TRANSITIONS, State, step

ENDS = {State.STOPPED, State.DESTROYED, State.ERRORED}


def test_the_numbers_and_names_are_those_of_the_wire():
    assert [state.text for state in sorted(State)] == [
        "inactive",
        "ready",
        "working",
        "invalid",
        "stopping",
        "stopped",
        "destroyed",
        "maxJobsReached",
        "errored",
        "idleTTLReached",
        "ttlReached",
        "maxMemoryReached",
        "execTTLReached",
    ]
    assert [int(state) for state in sorted(State)] == list(range(13))


def test_every_state_has_a_row_and_only_the_ends_are_empty():
    assert set(TRANSITIONS) == set(State)
    assert {state for state, after in TRANSITIONS.items() if not after} == ENDS


def test_an_illegal_step_raises_and_names_both_states():
    with pytest.raises(IllegalTransition, match="worker: no transition from stopped on working"):
        step(State.STOPPED, State.WORKING)


@pytest.mark.parametrize("state", sorted(set(State) - ENDS))
def test_a_process_can_die_in_any_state_that_is_not_an_end(state):
    assert {State.ERRORED, State.DESTROYED} <= TRANSITIONS[state]
