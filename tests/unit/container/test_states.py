from __future__ import annotations

import pytest

from rrpy.container.errors import IllegalTransition
from rrpy.container.states import HOST, PLUGIN, HostState, Machine, PluginState, mermaid

TABLES = [(PLUGIN, PluginState, PluginState.REGISTERED), (HOST, HostState, HostState.NEW)]
EVENTS = sorted({event for table, _, _ in TABLES for row in table.values() for event in row} | {"", "nonsense"})
PAIRS = [(table, state, event) for table, states, _ in TABLES for state in states for event in EVENTS]


@pytest.mark.parametrize(("table", "state", "event"), PAIRS)
def test_a_machine_goes_where_its_table_says_and_an_illegal_event_changes_nothing(table, state, event):
    machine = Machine("plugin smtp", table, state)
    assert machine.can(event) is (event in table[state])
    if event in table[state]:
        assert machine.on(event) is table[state][event]
        assert machine.state is table[state][event]
    else:
        with pytest.raises(IllegalTransition) as caught:
            machine.on(event)
        assert str(caught.value) == f"plugin smtp: no transition from {state.value} on {event}"
        assert (caught.value.state, caught.value.event) == (state.value, event)
        assert machine.state is state


@pytest.mark.parametrize(("table", "states", "first"), TABLES)
def test_every_state_has_a_row_and_can_be_reached_and_left_for_an_end(table, states, first):
    assert set(table) == set(states)
    reached = {first}
    for _ in states:
        reached |= {target for state in reached for target in table[state].values()}
    assert reached == set(states)
    ends = {state for state in states if not table[state]}
    for _ in states:
        ends |= {state for state in states if ends & set(table[state].values())}
    assert ends == set(states), "there is a way to an end from everywhere"


@pytest.mark.parametrize(("table", "states", "first"), TABLES)
def test_the_diagram_has_every_transition_and_nothing_else(table, states, first):
    lines = mermaid(table, first).splitlines()
    assert lines[0] == "stateDiagram-v2"
    expected = {f"    [*] --> {first.value}"}
    expected |= {f"    {state.value} --> {to.value}: {event}" for state in states for event, to in table[state].items()}
    expected |= {f"    {state.value} --> [*]" for state in states if not table[state]}
    assert set(lines[1:]) == expected
    assert len(lines[1:]) == len(expected)


def test_a_machine_has_no_room_for_anything_else():
    with pytest.raises(AttributeError):
        Machine("x", HOST, HostState.NEW).other = 1
