from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrpy.container.errors import IllegalTransition
from rrpy.container.states import Machine
from rrpy.worker_pool.states import PROCESS, REQUEST, TRANSITIONS, ProcessState, RequestState, State, step


@given(st.lists(st.sampled_from(sorted(State)), max_size=40))
def test_a_walk_follows_the_table_never_leaves_an_end_and_is_not_moved_by_an_illegal_step(asked):
    state = State.INACTIVE
    for to in asked:
        before = state
        try:
            state = step(state, to)
        except IllegalTransition:
            assert to not in TRANSITIONS[before]
            assert state is before
        else:
            assert to in TRANSITIONS[before]
            assert state is to
            assert TRANSITIONS[before]


@given(st.sampled_from(sorted(State)))
def test_an_end_can_be_reached_from_everywhere(state):
    seen, front = set(), {state}
    while front:
        seen |= front
        front = {after for one in front for after in TRANSITIONS[one]} - seen
    assert any(not TRANSITIONS[one] for one in seen)


@given(st.sampled_from(sorted(State)))
def test_nothing_comes_back_to_inactive(state):
    assert State.INACTIVE not in TRANSITIONS[state]


@pytest.mark.parametrize(
    ("table", "first"), [(PROCESS, ProcessState.BOOTING), (REQUEST, RequestState.IDLE)], ids=["process", "request"]
)
@given(st.data())
def test_a_walk_by_events_follows_its_table_and_is_not_moved_by_an_illegal_event(table, first, data):
    events = sorted({event for row in table.values() for event in row} | {"no such event"})
    machine = Machine("thing", table, first)
    for event in data.draw(st.lists(st.sampled_from(events), max_size=40)):
        before = machine.state
        if machine.can(event):
            assert machine.on(event) is machine.state is table[before][event]
        else:
            with pytest.raises(IllegalTransition, match=f"thing: no transition from {before.value} on {event}"):
                machine.on(event)
            assert machine.state is before
