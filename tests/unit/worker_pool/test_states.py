from __future__ import annotations

import pytest

from rrpy.container.errors import IllegalTransition
from rrpy.container.states import Machine
from rrpy.worker_pool.states import PROCESS, REQUEST, TRANSITIONS, ProcessState, RequestState, State, step

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


@pytest.mark.parametrize(("table", "states"), [(PROCESS, ProcessState), (REQUEST, RequestState)])
def test_every_state_of_a_process_and_of_a_request_has_a_row_and_can_be_reached(table, states):
    assert set(table) == set(states)
    reached = {next(iter(states))}.union(*(row.values() for row in table.values()))
    assert reached == set(states)


def test_an_illegal_event_raises_names_both_and_changes_nothing():
    process = Machine("worker process", PROCESS, ProcessState.EXITED)
    with pytest.raises(IllegalTransition, match="worker process: no transition from exited on kill"):
        process.on("kill")
    assert process.state is ProcessState.EXITED
    request = Machine("request", REQUEST, RequestState.WAITING)
    with pytest.raises(IllegalTransition, match="request: no transition from waiting on send"):
        request.on("send")
    assert request.state is RequestState.WAITING


def test_a_process_can_exit_until_it_has_and_only_goes_on_towards_its_end():
    order = list(ProcessState)
    for state, row in PROCESS.items():
        assert ("exit" in row) is (order.index(state) < order.index(ProcessState.EXITED))
        assert all(order.index(after) > order.index(state) for after in row.values())
    assert [state for state, row in PROCESS.items() if not row] == [ProcessState.GONE]


@pytest.mark.parametrize("state", sorted(set(RequestState) - {RequestState.IDLE}))
def test_a_request_ends_in_any_state_and_its_worker_can_be_ignored_in_any(state):
    assert REQUEST[state]["end"] is (state if state is RequestState.IGNORING else RequestState.IDLE)
    assert REQUEST[state]["ignore"] is RequestState.IGNORING
