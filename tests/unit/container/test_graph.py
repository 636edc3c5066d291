from __future__ import annotations

import pytest

from rrpy.container.errors import DependencyError
from rrpy.container.graph import start_order


def test_what_needs_nothing_keeps_its_order():
    assert start_order(["c", "a", "b"], {}) == ["c", "a", "b"]
    assert start_order([], {}) == []


def test_what_is_needed_comes_first_and_the_rest_keeps_its_order():
    assert start_order(["a", "b", "c", "d"], {"a": ["d"]}) == ["d", "a", "b", "c"]
    assert start_order(["a", "b", "c"], {"c": ["a"], "a": []}) == ["a", "b", "c"]


def test_needs_are_met_in_the_order_in_which_they_are_said():
    assert start_order(["a", "b", "c"], {"a": ["c", "b"]}) == ["c", "b", "a"]


def test_a_diamond_is_no_cycle():
    assert start_order(["a", "b", "c", "d"], {"a": ["b", "c"], "b": ["d"], "c": ["d"]}) == ["d", "b", "c", "a"]


def test_a_need_that_is_said_twice_counts_once():
    assert start_order(["a", "b"], {"a": ["b", "b"]}) == ["b", "a"]


@pytest.mark.parametrize(
    ("needs", "printed"),
    [
        ({"a": ["a"]}, "a -> a"),
        ({"a": ["b"], "b": ["a"]}, "a -> b -> a"),
        ({"a": ["b"], "b": ["c"], "c": ["d"], "d": ["b"]}, "b -> c -> d -> b"),
    ],
)
def test_a_cycle_is_printed_without_what_only_leads_to_it(needs, printed):
    with pytest.raises(DependencyError) as caught:
        start_order(["a", "b", "c", "d"], needs)
    assert str(caught.value) == f"plugins need one another in a circle: {printed}"


def test_a_chain_longer_than_pythons_stack_is_ordered():
    size = 3000
    assert start_order(range(size), {n: [n + 1] for n in range(size - 1)}) == list(reversed(range(size)))
