from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rrpy.container.errors import IllegalTransition
from rrpy.worker_pool.states import TRANSITIONS, State, step


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
